"""An application's own redis-py client: its options don't change a decision, and its faults end in our time."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest
import redis
from redis import exceptions
from redis.backoff import ConstantBackoff
from redis.credentials import UsernamePasswordCredentialProvider
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError

from tests.contract.store_errors import answered
from tests.contract.test_redis_faults import CALLS, FAULTS, QUESTION, SETTLEMENT, TIMEOUT_S, connect_often, fails
from tests.harness.redis_server import RedisServer
from tests.harness.tcp_proxy import TcpProxy
from tidegate.clock import SystemClock
from tidegate.errors import StoreUnavailableError
from tidegate.redis_driver.faults import unavailable
from tidegate.redis_driver.node import RedisTarget
from tidegate.redis_driver.redis_py_faults import fault_of
from tidegate.stores.redis.store import RedisStore

# What an application might have: a client that retries for minutes, and whose sockets never time out.
PATIENT = {"socket_timeout": None, "socket_connect_timeout": None, "retry": Retry(ConstantBackoff(10), 10)}


def store_of(client: redis.Redis, timeout_s: float = TIMEOUT_S) -> RedisStore:
    target = RedisTarget("", timeout_s, timeout_s, adapts=False, client=client)
    return RedisStore(target, "contract", "environment", SystemClock())


@pytest.fixture
def patient(redis_server: RedisServer, redis_proxy: TcpProxy) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_proxy.url(redis_server.url), **PATIENT) as client:
        yield client


@pytest.mark.parametrize("connected", [True, False], ids=["connected", "not connected"])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_raises_one_error_in_time_and_leaves_nothing_behind(
    redis_server, redis_proxy, patient, fault, connected
):
    store = store_of(patient)
    if connected:
        answered(lambda: store.admit(QUESTION))
    fault.begin(redis_server, redis_proxy)
    found = {name: fails(lambda call=call: call(store)) for name, call in CALLS.items()}
    # A client that tries again meanwhile doesn't tell in time what it met.
    assert set(found.values()) <= fault.kinds | {"timeout"}
    fault.end(redis_server, redis_proxy)
    for call in CALLS.values():
        answered(lambda call=call: call(store), within_s=30)
    assert answered(lambda: store.admit(QUESTION)).store == "redis"


@pytest.mark.slow
def test_a_client_that_hangs_holds_no_more_threads_than_its_bound(redis_server, redis_proxy, patient):
    store, before = store_of(patient, timeout_s=0.02), set(threading.enumerate())
    redis_proxy.hang()
    for _ in range(60):
        assert fails(lambda: store.admit(QUESTION)) == "timeout"
    made = [each for each in threading.enumerate() if each.name == "tidegate-redis-py" and each not in before]
    assert len(made) <= 32
    redis_proxy.reset()
    redis_proxy.pass_through()
    assert answered(lambda: store.admit(QUESTION), within_s=60).admitted


def test_a_call_that_is_given_up_frees_its_thread_and_its_connection(redis_server, redis_proxy):
    pool = redis.BlockingConnectionPool.from_url(redis_proxy.url(redis_server.url), max_connections=1, **PATIENT)
    with redis.Redis.from_pool(pool) as client:
        store = store_of(client)
        answered(lambda: store.admit(QUESTION))
        for _ in range(3):
            redis_server.stop()
            assert fails(lambda: store.admit(QUESTION)) == "timeout"
            redis_server.cont()
            # The only connection was cut and given back: else there would be none.
            assert answered(lambda: store.admit(QUESTION)).admitted


def test_an_exhausted_pool_is_a_fault_of_its_own(redis_server):
    with redis.Redis.from_url(redis_server.url, max_connections=1) as client:
        store = store_of(client, timeout_s=5)
        taken = client.connection_pool.get_connection()
        with pytest.raises(StoreUnavailableError, match=r"(?i)connections") as raised:
            store.admit(QUESTION)
        assert raised.value.kind == "refused"
        client.connection_pool.release(taken)
        assert store.admit(QUESTION).admitted


def test_a_pool_that_makes_callers_wait_is_waited_for_within_the_budget(redis_server):
    pool = redis.BlockingConnectionPool.from_url(redis_server.url, max_connections=1, timeout=60)
    with redis.Redis.from_pool(pool) as client:
        store = store_of(client)
        taken = client.connection_pool.get_connection()
        assert fails(lambda: store.admit(QUESTION)) == "timeout"
        client.connection_pool.release(taken)
        assert answered(lambda: store.admit(QUESTION)).admitted


@pytest.mark.parametrize(
    "options",
    [
        {"decode_responses": True},
        {"encoding": "latin-1", "decode_responses": True},
        {"protocol": 2},
        {"protocol": 3},
        {"health_check_interval": 1},
        {"single_connection_client": True},
        {"socket_keepalive": True, "client_name": "the-app"},
    ],
    ids=str,
)
def test_a_clients_options_change_no_decision(redis_server, options):
    with redis.Redis.from_url(redis_server.url, **options) as client:
        store = store_of(client, timeout_s=20)
        assert [store.admit(QUESTION).limits[0].remaining for _ in range(2)] == [999, 998]
        assert store.settle(SETTLEMENT)
        store.probe()


def test_one_question_is_one_round_trip(redis_server, redis_proxy):
    with redis.Redis.from_url(redis_proxy.url(redis_server.url), health_check_interval=1) as client:
        store = store_of(client, timeout_s=20)
        store.admit(QUESTION)
        redis_proxy.reset_counts()
        for _ in range(5):
            store.admit(QUESTION)
        counts = redis_proxy.counts()
        assert (counts.round_trips, counts.connections, counts.commands) == (5, 0, ("EVALSHA",) * 5)


def test_a_client_that_the_application_closes_goes_on_and_ours_isnt_closed(redis_server):
    with redis.Redis.from_url(redis_server.url) as client:
        store = store_of(client, timeout_s=20)
        assert store.admit(QUESTION).admitted
        client.close()
        assert store.admit(QUESTION).admitted
        held = client.connection_pool.get_connection()
        client.connection_pool.release(held)
        store.close()
        assert held.is_connected if hasattr(held, "is_connected") else held._sock is not None


def test_the_application_goes_on_with_the_same_connections(redis_server):
    with redis.Redis.from_url(redis_server.url, max_connections=1, decode_responses=True) as client:
        store = store_of(client, timeout_s=20)
        for number in range(3):
            client.set("theirs", number)
            assert store.admit(QUESTION).admitted
            assert client.get("theirs") == str(number)


def test_a_provider_of_credentials_signs_in():
    with RedisServer(password="right") as server:
        address = f"redis://{server.host}:{server.port}/0"
        for password, kind in (("right", None), ("wrong", "authentication")):
            provider = UsernamePasswordCredentialProvider(password=password)
            with redis.Redis.from_url(address, credential_provider=provider) as client:
                store = store_of(client, timeout_s=20)
                if kind is None:
                    assert store.admit(QUESTION).admitted
                else:
                    assert fails(lambda store=store: store.admit(QUESTION)) == kind


def test_a_provider_that_raises_is_an_unavailable_store(redis_server):
    class Broken(UsernamePasswordCredentialProvider):
        def get_credentials(self):
            raise RuntimeError("no token")

    client = redis.Redis.from_url(redis_server.url, credential_provider=Broken())
    with client, pytest.raises(StoreUnavailableError, match="no token"):
        store_of(client, timeout_s=20).admit(QUESTION)


def test_a_restarted_and_empty_server_causes_no_error(redis_server):
    with redis.Redis.from_url(redis_server.url) as client:
        store = store_of(client, timeout_s=20)
        connect_often(store, 6)
        redis_server.restart_empty()
        for _ in range(8):
            assert store.admit(QUESTION).store == "redis"


def test_a_fork_has_connections_of_its_own(redis_server):
    with redis.Redis.from_url(redis_server.url) as client:
        store = store_of(client, timeout_s=20)
        store.admit(QUESTION)
        child = os.fork()
        if not child:
            os._exit(0 if store.admit(QUESTION).admitted else 1)
        _, status = os.waitpid(child, 0)
        assert status == 0
        assert [store.admit(QUESTION).limits[0].remaining for _ in range(2)] == [997, 996]


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (exceptions.ConnectionError("Connection closed by server."), "reset"),
        (exceptions.ConnectionError("max number of clients reached"), "refused"),
        (exceptions.TimeoutError("Timeout reading from socket"), "timeout"),
        (exceptions.BusyLoadingError("Redis is loading the dataset in memory"), "loading"),
        (exceptions.AuthenticationError("Authentication required."), "authentication"),
        (exceptions.NoPermissionError("this user has no permissions"), "authentication"),
        (exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), "out-of-memory"),
        (exceptions.ReadOnlyError("You can't write against a read only replica."), "read-only"),
        (exceptions.MovedError("1 127.0.0.1:7000"), "moved"),
        (exceptions.TryAgainError("Multiple keys request during rehashing of slot"), "moved"),
        (exceptions.ClusterDownError("The cluster is down"), "cluster-down"),
        (exceptions.SlotNotCoveredError("Slot 1 is not covered"), "cluster-down"),
        (exceptions.ResponseError("MISCONF Redis is configured to save RDB snapshots"), "read-only"),
        (exceptions.ResponseError("WRONGTYPE Operation against a key"), "unreadable"),
        (exceptions.ResponseError("value is not an integer or out of range"), "unreadable"),
        (exceptions.ResponseError("unknown command 'EVALSHA'"), "protocol"),
        (MasterNotFoundError("No master found for 'shop'"), "cluster-down"),
        (exceptions.InvalidResponse("Protocol Error: b'H'"), "protocol"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_each_of_the_clients_errors_has_its_kind(raised, kind):
    assert unavailable(fault_of(raised)).kind == kind


def test_what_sentinels_client_says_of_a_demoted_master_is_read_only():
    demoted = exceptions.ConnectionError("The previous master is now a slave")
    demoted.__context__ = exceptions.ReadOnlyError("You can't write against a read only replica.")
    assert unavailable(fault_of(demoted)).kind == "read-only"
