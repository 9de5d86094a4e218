"""The proxy counts exactly, and each of its faults reaches the client as the thing it is named after."""

import contextlib
import socket
import struct
import time

import pytest
import redis

from tests.harness.request_parsers import RespCommands


@pytest.fixture
def client(redis_server, redis_proxy):
    """A warm redis-py client through the proxy: connected, and its handshake not counted."""
    with closing_client(redis_proxy.url(redis_server.url)) as made:
        made.ping()
        redis_proxy.reset_counts()
        yield made


def test_one_command_is_one_round_trip(redis_proxy, client):
    client.set("k", "v")
    client.get("k")
    counts = redis_proxy.counts()
    assert (counts.round_trips, counts.commands, counts.connections) == (2, ("SET", "GET"), 0)
    assert counts.client_bytes == len(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n")
    assert counts.server_bytes == len(b"+OK\r\n$1\r\nv\r\n")


def test_a_pipeline_is_one_round_trip(redis_proxy, client):
    with client.pipeline(transaction=False) as pipeline:
        for _ in range(10):
            pipeline.rpush("k", "v")
        assert pipeline.execute()[-1] == 10
    assert redis_proxy.round_trips == 1
    assert redis_proxy.commands == ["RPUSH"] * 10


def test_a_script_unknown_to_the_server_costs_two_more(redis_proxy, client):
    script = client.register_script("return redis.call('INCR', KEYS[1])")
    assert script(keys=["k"]) == 1
    assert redis_proxy.commands == ["EVALSHA", "SCRIPT", "EVALSHA"]
    assert redis_proxy.round_trips == 3
    redis_proxy.reset_counts()
    assert script(keys=["k"]) == 2
    assert (redis_proxy.round_trips, redis_proxy.commands) == (1, ["EVALSHA"])


def test_large_values_are_one_round_trip_and_pass_unchanged(redis_proxy, client):
    value = bytes(range(256)) * 4096
    client.set("k", value)
    assert (redis_proxy.round_trips, redis_proxy.commands) == (1, ["SET"])
    assert client.get("k") == value
    assert redis_proxy.round_trips == 2


def test_connections_are_counted(redis_server, redis_proxy, client):
    for _ in range(3):
        with closing_client(redis_proxy.url(redis_server.url)) as other:
            other.ping()
    assert redis_proxy.connections == 3


def test_requests_are_parsed_however_they_are_split():
    stream = b"*1\r\n$4\r\nPING\r\n*3\r\n$3\r\nset\r\n$1\r\nk\r\n$4\r\n\r\n*1\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"
    for size in range(1, len(stream) + 1):
        parser = RespCommands()
        pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
        assert [name for piece in pieces for name in parser.feed(piece)] == ["PING", "SET", "GET"]


def test_delay(redis_proxy):
    with socket.create_connection((redis_proxy.host, redis_proxy.port), timeout=5) as raw:
        ask(raw)
        redis_proxy.delay(300)
        began = time.monotonic()
        assert ask(raw) == b"+PONG\r\n"
        assert time.monotonic() - began >= 0.3
        redis_proxy.pass_through()
        began = time.monotonic()
        assert ask(raw) == b"+PONG\r\n"
        assert time.monotonic() - began < 0.3


def test_a_hung_proxy_accepts_and_goes_on_later(redis_server, redis_proxy, client):
    redis_proxy.hang()
    with pytest.raises(redis.TimeoutError):
        client.ping()
    with closing_client(redis_proxy.url(redis_server.url)) as late, pytest.raises(redis.TimeoutError):
        late.ping()
    with socket.create_connection((redis_proxy.host, redis_proxy.port), timeout=5) as raw:
        raw.sendall(b"PING\r\n")
        redis_proxy.pass_through()
        assert raw.recv(100) == b"+PONG\r\n"
    assert client.ping()


def test_refuse_and_return_on_the_same_port(redis_proxy, client):
    redis_proxy.refuse()
    with pytest.raises(redis.ConnectionError):
        client.ping()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((redis_proxy.host, redis_proxy.port), timeout=1)
    redis_proxy.pass_through()
    assert client.ping()


def test_refuse_may_keep_live_connections(redis_proxy, client):
    redis_proxy.refuse(drop=False)
    assert client.ping()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((redis_proxy.host, redis_proxy.port), timeout=1)


def test_reset_reaches_live_and_new_connections(redis_proxy):
    with socket.create_connection((redis_proxy.host, redis_proxy.port), timeout=5) as live:
        assert ask(live) == b"+PONG\r\n"
        redis_proxy.reset()
        with pytest.raises(ConnectionResetError):
            live.recv(1)
    with pytest.raises(ConnectionResetError):
        ask_anew(redis_proxy)  # the RST may be there before connect() has returned
    redis_proxy.pass_through()
    assert ask_anew(redis_proxy) == b"+PONG\r\n"


def test_reset_in_mid_reply(redis_server, redis_proxy):
    redis_proxy.reset(after_bytes=3, once=True)
    with socket.create_connection((redis_proxy.host, redis_proxy.port), timeout=5) as raw:
        raw.sendall(b"*2\r\n$4\r\nINCR\r\n$1\r\nk\r\n")
        assert raw.recv(3, socket.MSG_WAITALL) == b":1\r"
        with pytest.raises(ConnectionResetError):
            raw.recv(1)
    assert redis_server.command("GET", "k") == b"1", "a cut reply's request was carried out"
    with socket.create_connection((redis_proxy.host, redis_proxy.port), timeout=5) as raw:
        assert ask(raw) == b"+PONG\r\n"


def test_half_a_reply_and_then_silence(redis_proxy, client):
    redis_proxy.half_reply(4)
    with socket.create_connection((redis_proxy.host, redis_proxy.port), timeout=0.3) as raw:
        assert ask(raw) == b"+PON"
        with pytest.raises(TimeoutError):
            raw.recv(1)
        redis_proxy.pass_through()
        with pytest.raises(TimeoutError):
            ask(raw)
    assert client.ping()


def test_a_lost_acknowledgement(redis_server, redis_proxy, client):
    redis_proxy.half_reply(0, once=True)
    with pytest.raises(redis.TimeoutError):
        client.incr("k")
    assert redis_server.command("GET", "k") == b"1"
    assert client.incr("k") == 2


def test_blackhole_spares_new_connections(redis_server, redis_proxy, client):
    redis_proxy.blackhole()
    with closing_client(redis_proxy.url(redis_server.url)) as other:
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


def test_a_client_that_goes_takes_its_upstream_along(redis_db, redis_proxy):
    with socket.create_connection((redis_proxy.host, redis_proxy.port), timeout=5) as raw:
        raw.sendall(b"*2\r\n$6\r\nCLIENT\r\n$2\r\nID\r\n")
        upstream = raw.recv(100).decode()[1:].strip()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    ends = time.monotonic() + 30
    while redis_proxy.open_connections or upstream in connections(redis_db):
        assert time.monotonic() < ends


def connections(redis_db):
    return {client["id"] for client in redis_db.client_list()}


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


def ask_anew(redis_proxy):
    with socket.create_connection((redis_proxy.host, redis_proxy.port), timeout=5) as raw:
        return ask(raw)


def ask(raw):
    raw.sendall(b"*1\r\n$4\r\nPING\r\n")
    return raw.recv(100)


@contextlib.contextmanager
def closing_client(url):
    client = redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1, retry=None)
    with client, contextlib.closing(client.connection_pool):
        yield client


def test_new_connections_lead_elsewhere_and_open_ones_stay(redis_server, fresh_redis, redis_proxy, client):
    fresh_redis.command("SET", "k", "elsewhere")
    client.set("k", "here")
    redis_proxy.lead_to(fresh_redis.port)
    with closing_client(redis_proxy.url(redis_server.url)) as other:
        assert other.get("k") == b"elsewhere"
    assert client.get("k") == b"here"
