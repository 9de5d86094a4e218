"""The Redis of the tests is real, and so is what is done to it."""

import contextlib
import os
import threading
import time

import pytest
import redis

from tests.harness.redis_binary import redis_speaks_tls
from tests.harness.redis_server import RedisServer


def test_a_stopped_server_times_clients_out_and_goes_on(redis_server):
    with redis_server.client(socket_timeout=0.2) as client:
        client.set("k", "v")
        redis_server.stop()
        began = time.monotonic()
        with pytest.raises(redis.TimeoutError):
            client.get("k")
        assert 0.15 < time.monotonic() - began < 2
        redis_server.cont()
        assert client.get("k") == b"v"


def test_a_stopped_server_still_accepts_connections(redis_server):
    redis_server.stop()
    with redis_server.client(socket_timeout=0.2) as client, pytest.raises(redis.TimeoutError):
        client.ping()


def test_a_request_that_waited_through_a_stop_is_answered(redis_server):
    redis_server.stop()
    release = threading.Timer(0.2, redis_server.cont)
    release.start()
    with redis_server.client(socket_timeout=5) as client:
        assert client.ping()
    release.join()


@pytest.mark.parametrize("fault", ["stop", "kill", "readonly", "fill_memory"])
def test_healing_undoes_every_fault(redis_server, fault):
    getattr(redis_server, fault)()
    redis_server.heal()
    assert redis_server.command("DBSIZE") == 0
    assert redis_server.command("SET", "k", "v")


def test_kill_refuses_and_restart_is_empty_on_the_same_port(fresh_redis):
    with fresh_redis.client() as client:
        client.set("k", "v")
        sha = client.script_load("return 1")
        fresh_redis.kill()
        with pytest.raises(redis.ConnectionError, match="refused"):
            client.get("k")
        port = fresh_redis.port
        fresh_redis.restart_empty()
        assert fresh_redis.port == port
        assert client.get("k") is None
        with pytest.raises(redis.exceptions.NoScriptError):
            client.evalsha(sha, 0)


def test_readonly_refuses_writes_and_answers_reads(redis_server):
    with redis_server.client() as client:
        client.set("k", "v")
        redis_server.readonly()
        assert client.get("k") == b"v"
        with pytest.raises(redis.exceptions.ReadOnlyError):
            client.set("k", "w")
        # Redis 6.2 wraps a script's error, and redis-py then has no class for it.
        with pytest.raises(redis.ResponseError, match="read only replica"):
            client.eval("return redis.call('SET', KEYS[1], 'w')", 1, "k")
        redis_server.writable()
        assert client.set("k", "w")


def test_full_memory_refuses_writes_and_answers_reads(redis_server):
    with redis_server.client() as client:
        client.set("k", "v")
        redis_server.fill_memory()
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            client.set("k", "w")
        assert client.get("k") == b"v"
        redis_server.free_memory()
        assert client.set("k", "w")


def test_maxmemory_from_the_configuration():
    with (
        RedisServer("maxmemory 1", "maxmemory-policy noeviction") as server,
        pytest.raises(redis.exceptions.OutOfMemoryError),
    ):
        server.command("SET", "k", "v")


def test_passwords_right_wrong_missing_and_changed():
    with RedisServer(password="right") as server:
        right = server.url
        assert ping(right)
        server.change_password("new")
        assert ping(server.url)
        for wrong in (right, f"redis://127.0.0.1:{server.port}/0"):
            with pytest.raises(redis.AuthenticationError):
                ping(wrong)


@pytest.mark.skipif(not redis_speaks_tls(), reason="this redis-server was built without TLS")
def test_tls_both_ways_round():
    with RedisServer(tls=True) as server, RedisServer() as plain:
        assert server.url.startswith("rediss://")
        assert ping(server.url)
        with pytest.raises(redis.ConnectionError):
            ping(f"redis://127.0.0.1:{server.port}/0")
        with pytest.raises(redis.ConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
            ping(f"rediss://127.0.0.1:{server.port}/0")
        with pytest.raises((redis.ConnectionError, redis.TimeoutError)):
            ping(server.url.replace(str(server.port), str(plain.port)))


def test_cluster_of_one_node_serves_loses_and_regains_its_slots():
    with RedisServer(cluster=True) as server:
        with contextlib.closing(redis.RedisCluster.from_url(server.url)) as cluster:
            assert cluster.set("k", "v")
            assert cluster.get("k") == b"v"
            cluster.disconnect_connection_pools()
        server.lose_slots()
        with server.client() as client, pytest.raises(redis.exceptions.ClusterDownError):
            client.get("k")
        server.take_slots()
        with server.client() as client:
            assert client.get("k") == b"v"


def test_a_server_that_cannot_start_says_why():
    server = RedisServer("maxmemory nonsense")
    with pytest.raises(RuntimeError, match=r"(?s)ended while starting.*maxmemory"), server:
        pass
    assert not server.folder.exists()


def test_nothing_is_left_after_the_context():
    with RedisServer() as server:
        pid = server.pid
        server.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not server.folder.exists()


def ping(url):
    client = redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1)
    with client, contextlib.closing(client.connection_pool):
        return client.ping()
