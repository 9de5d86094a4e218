"""The proxy counts exactly, and each of its faults reaches the client as the thing it is named after."""

import contextlib
import socket
import struct
import time

import pytest
import redis

from tests.harness.request_parsers import RespCommands


@pytest.fixture
def proxy(redis_server, tcp_proxy):
    return tcp_proxy(redis_server.port)


@pytest.fixture
def client(redis_server, proxy):
    """A warm redis-py client through the proxy: connected, and its handshake not counted."""
    with closing_client(proxy.url(redis_server.url)) as made:
        made.ping()
        proxy.reset_counts()
        yield made


def test_one_command_is_one_round_trip(proxy, client):
    client.set("k", "v")
    client.get("k")
    counts = proxy.counts()
    assert (counts.round_trips, counts.commands, counts.connections) == (2, ("SET", "GET"), 0)
    assert counts.client_bytes == len(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n")
    assert counts.server_bytes == len(b"+OK\r\n$1\r\nv\r\n")


def test_a_pipeline_is_one_round_trip(proxy, client):
    with client.pipeline(transaction=False) as pipeline:
        for _ in range(10):
            pipeline.rpush("k", "v")
        assert pipeline.execute()[-1] == 10
    assert proxy.round_trips == 1
    assert proxy.commands == ["RPUSH"] * 10


def test_a_script_unknown_to_the_server_costs_two_more(proxy, client):
    script = client.register_script("return redis.call('INCR', KEYS[1])")
    assert script(keys=["k"]) == 1
    assert proxy.commands == ["EVALSHA", "SCRIPT", "EVALSHA"]
    assert proxy.round_trips == 3
    proxy.reset_counts()
    assert script(keys=["k"]) == 2
    assert (proxy.round_trips, proxy.commands) == (1, ["EVALSHA"])


def test_large_values_are_one_round_trip_and_pass_unchanged(proxy, client):
    value = bytes(range(256)) * 4096
    client.set("k", value)
    assert (proxy.round_trips, proxy.commands) == (1, ["SET"])
    assert client.get("k") == value
    assert proxy.round_trips == 2


def test_connections_are_counted(redis_server, proxy, client):
    for _ in range(3):
        with closing_client(proxy.url(redis_server.url)) as other:
            other.ping()
    assert proxy.connections == 3


def test_requests_are_parsed_however_they_are_split():
    stream = b"*1\r\n$4\r\nPING\r\n*3\r\n$3\r\nset\r\n$1\r\nk\r\n$4\r\n\r\n*1\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"
    for size in range(1, len(stream) + 1):
        parser = RespCommands()
        pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
        assert [name for piece in pieces for name in parser.feed(piece)] == ["PING", "SET", "GET"]


def test_delay(proxy):
    with socket.create_connection((proxy.host, proxy.port), timeout=5) as raw:
        ask(raw)
        proxy.delay(300)
        began = time.monotonic()
        assert ask(raw) == b"+PONG\r\n"
        assert time.monotonic() - began >= 0.3
        proxy.pass_through()
        began = time.monotonic()
        assert ask(raw) == b"+PONG\r\n"
        assert time.monotonic() - began < 0.3


def test_a_hung_proxy_accepts_and_goes_on_later(redis_server, proxy, client):
    proxy.hang()
    with pytest.raises(redis.TimeoutError):
        client.ping()
    with closing_client(proxy.url(redis_server.url)) as late, pytest.raises(redis.TimeoutError):
        late.ping()
    with socket.create_connection((proxy.host, proxy.port), timeout=5) as raw:
        raw.sendall(b"PING\r\n")
        proxy.pass_through()
        assert raw.recv(100) == b"+PONG\r\n"
    assert client.ping()


def test_refuse_and_return_on_the_same_port(proxy, client):
    proxy.refuse()
    with pytest.raises(redis.ConnectionError):
        client.ping()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((proxy.host, proxy.port), timeout=1)
    proxy.pass_through()
    assert client.ping()


def test_refuse_may_keep_live_connections(proxy, client):
    proxy.refuse(drop=False)
    assert client.ping()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((proxy.host, proxy.port), timeout=1)


def test_reset_reaches_live_and_new_connections(proxy):
    with socket.create_connection((proxy.host, proxy.port), timeout=5) as live:
        assert ask(live) == b"+PONG\r\n"
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            live.recv(1)
    with pytest.raises(ConnectionResetError):
        ask_anew(proxy)  # the RST may be there before connect() has returned
    proxy.pass_through()
    assert ask_anew(proxy) == b"+PONG\r\n"


def test_reset_in_mid_reply(redis_server, proxy):
    proxy.reset(after_bytes=3, once=True)
    with socket.create_connection((proxy.host, proxy.port), timeout=5) as raw:
        raw.sendall(b"*2\r\n$4\r\nINCR\r\n$1\r\nk\r\n")
        assert raw.recv(3, socket.MSG_WAITALL) == b":1\r"
        with pytest.raises(ConnectionResetError):
            raw.recv(1)
    assert redis_server.command("GET", "k") == b"1", "a cut reply's request was carried out"
    with socket.create_connection((proxy.host, proxy.port), timeout=5) as raw:
        assert ask(raw) == b"+PONG\r\n"


def test_half_a_reply_and_then_silence(proxy, client):
    proxy.half_reply(4)
    with socket.create_connection((proxy.host, proxy.port), timeout=0.3) as raw:
        assert ask(raw) == b"+PON"
        with pytest.raises(TimeoutError):
            raw.recv(1)
        proxy.pass_through()
        with pytest.raises(TimeoutError):
            ask(raw)
    assert client.ping()


def test_a_lost_acknowledgement(redis_server, proxy, client):
    proxy.half_reply(0, once=True)
    with pytest.raises(redis.TimeoutError):
        client.incr("k")
    assert redis_server.command("GET", "k") == b"1"
    assert client.incr("k") == 2


def test_blackhole_spares_new_connections(redis_server, proxy, client):
    proxy.blackhole()
    with closing_client(proxy.url(redis_server.url)) as other:
        assert other.ping()
    with pytest.raises(redis.TimeoutError):
        client.ping()


def test_a_killed_server_behind_the_proxy(fresh_redis, tcp_proxy):
    proxy = tcp_proxy(fresh_redis.port)
    with closing_client(proxy.url(fresh_redis.url)) as client:
        client.ping()
        fresh_redis.kill()
        with pytest.raises(redis.ConnectionError):
            client.ping()
        fresh_redis.restart_empty()
        assert client.ping()


def test_a_client_that_goes_takes_its_upstream_along(redis_server, proxy):
    with socket.create_connection((proxy.host, proxy.port), timeout=5) as raw:
        assert ask(raw) == b"+PONG\r\n"
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    ends = time.monotonic() + 5
    while proxy.open_connections or redis_server.info("clients")["connected_clients"] > 1:
        assert time.monotonic() < ends


def test_closing_leaves_nothing_listening(redis_server, tcp_proxy):
    proxy = tcp_proxy(redis_server.port)
    with socket.create_connection((proxy.host, proxy.port), timeout=5) as raw:
        ask(raw)
        proxy.close()
        proxy.close()
        with pytest.raises(ConnectionResetError):
            raw.recv(1)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((proxy.host, proxy.port), timeout=1)


def ask_anew(proxy):
    with socket.create_connection((proxy.host, proxy.port), timeout=5) as raw:
        return ask(raw)


def ask(raw):
    raw.sendall(b"*1\r\n$4\r\nPING\r\n")
    return raw.recv(100)


@contextlib.contextmanager
def closing_client(url):
    client = redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1, retry=None)
    with client, contextlib.closing(client.connection_pool):
        yield client
