"""Redis' faults, made for real: each is one error of ours, ends by itself, and is forgotten when it is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from threading import Barrier
from typing import Any

import pytest

from tests.contract.places import Place
from tests.contract.store_errors import answered, kind_of
from tests.contract.workers import request
from tests.harness.redis_binary import redis_speaks_tls
from tests.harness.redis_server import RedisServer
from tests.harness.tcp_proxy import TcpProxy
from tidegate.failover.breaker import Breaker
from tidegate.failover.circuit import CircuitBreakerStore
from tidegate.limits.token_bucket import Bucket
from tidegate.messages import Charge, Question, Settlement
from tidegate.stores.base import Store
from tidegate.testing import FakeClock

TIMEOUT_S = 0.15
# Not about speed: what isn't bounded would take for ever, or a driver's own minute.
ENDS_WITHIN_S = 5.0

QUESTION = Question("subject", (Charge("a", Bucket(60_000_000, 1000)),))
SETTLEMENT = Settlement("subject", request("claim", "first"), b"answer", fenced=False)

CALLS: dict[str, Callable[[Store], object]] = {
    "admit": lambda store: store.admit(QUESTION),
    "settle": lambda store: store.settle(SETTLEMENT),
    "probe": lambda store: store.probe(),
}


@dataclass(frozen=True)
class Fault:
    """What happens to the server or on the way to it, how that ends, and what it may be called."""

    begin: Callable[[RedisServer, TcpProxy], object]
    end: Callable[[RedisServer, TcpProxy], object]
    kinds: frozenset[str]


def on_the_way(begin: Callable[[TcpProxy], object], *kinds: str) -> Fault:
    return Fault(lambda _, proxy: begin(proxy), lambda _, proxy: proxy.pass_through(), frozenset(kinds))


def in_the_server(begin: Callable[[RedisServer], object], end: Callable[[RedisServer], object], *kinds: str) -> Fault:
    return Fault(lambda server, _: begin(server), lambda server, _: end(server), frozenset(kinds))


FAULTS = {
    "refused": on_the_way(lambda proxy: proxy.refuse(), "refused"),
    "killed": in_the_server(RedisServer.kill, RedisServer.start, "refused", "reset"),
    "stopped": in_the_server(RedisServer.stop, RedisServer.cont, "timeout"),
    "accepts and never answers": on_the_way(lambda proxy: proxy.hang(), "timeout"),
    "reset": on_the_way(lambda proxy: proxy.reset(), "reset"),
    "reset in mid-reply": on_the_way(lambda proxy: proxy.reset(after_bytes=2), "reset"),
    "half a reply": on_the_way(lambda proxy: proxy.half_reply(2), "timeout"),
    "no reply at all": on_the_way(lambda proxy: proxy.half_reply(0), "timeout"),
    "too slow": on_the_way(lambda proxy: proxy.delay(2000 * TIMEOUT_S), "timeout"),
    "read-only": in_the_server(RedisServer.readonly, RedisServer.writable, "read-only"),
    "out of memory": in_the_server(RedisServer.fill_memory, RedisServer.free_memory, "out-of-memory"),
}


fails = partial(kind_of, store="redis", within_s=ENDS_WITHIN_S)


@pytest.fixture(params=["redis", "redis-on-loop"])
def store(request: pytest.FixtureRequest, redis_server: RedisServer, redis_proxy: TcpProxy) -> Iterator[Store]:
    store = Place(request.param, redis_proxy.url(redis_server.url), timeout_s=TIMEOUT_S).open()
    yield store
    store.close()


@pytest.mark.parametrize("connected", [True, False], ids=["connected", "not connected"])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_raises_one_error_in_time_and_leaves_nothing_behind(redis_server, redis_proxy, store, fault, connected):
    if connected:
        answered(lambda: store.admit(QUESTION))
    fault.begin(redis_server, redis_proxy)
    found = {name: fails(lambda call=call: call(store)) for name, call in CALLS.items()}
    assert set(found.values()) <= fault.kinds
    fault.end(redis_server, redis_proxy)
    for call in CALLS.values():
        answered(lambda call=call: call(store))
    assert answered(lambda: store.admit(QUESTION)).store == "redis"


def test_a_wrong_password_is_an_error_until_it_is_right_again(tcp_proxy):
    with RedisServer(password="right") as server:
        store = Place("redis", server.url, timeout_s=TIMEOUT_S).open()
        server.change_password("changed")
        assert {fails(lambda call=call: call(store)) for call in CALLS.values()} == {"authentication"}
        server.change_password("right")
        assert answered(lambda: store.admit(QUESTION)).admitted
        store.close()


def test_a_missing_password_is_an_authentication_error():
    with RedisServer(password="secret") as server:
        store = Place("redis", f"redis://{server.host}:{server.port}/0", timeout_s=TIMEOUT_S).open()
        assert fails(lambda: store.admit(QUESTION)) == "authentication"
        store.close()


@pytest.mark.parametrize("command", ["time", "get", "hset", "zadd"])
def test_a_user_who_may_not_call_a_scripts_command_has_no_redis(redis_server, command):
    """Redis' own category @read, @write and @scripting lack TIME: every question would fail, and Redis look well."""
    address = f"{redis_server.host}:{redis_server.port}"
    rights: dict[str, Any] = {"categories": ["+@all"], "commands": [f"-{command}"], "keys": ["*"]}
    with redis_server.client() as client:
        client.acl_setuser("few", enabled=True, reset=True, passwords=["+pw"], **rights)
    store = CircuitBreakerStore(Place("redis", f"redis://few:pw@{address}/0").open(), Breaker(FakeClock()), FakeClock())
    question = QUESTION._replace(claim=request("claim", "first"))
    assert fails(lambda: store.ask(lambda asked: asked.admit(question))) == "authentication"
    assert (store.state.state, store.state.breaker) == ("failing", "open")
    store.close()


def test_a_command_that_is_renamed_is_no_fault_of_one_question():
    with RedisServer('rename-command PEXPIRE ""', 'rename-command SET ""') as server:
        store = Place("redis", server.url).open()
        assert fails(lambda: store.admit(QUESTION)) == "protocol"
        store.close()


@pytest.fixture(scope="module")
def tls_server() -> Iterator[RedisServer]:
    if not redis_speaks_tls():
        pytest.skip("this redis-server was built without TLS")
    with RedisServer(tls=True) as server:
        yield server


def test_tls_is_spoken_where_the_address_says_so(tls_server):
    store = Place("redis", tls_server.url).open()
    assert store.admit(QUESTION).admitted
    store.close()


def test_tls_to_a_plain_port_is_an_error(redis_server):
    address = f"rediss://{redis_server.host}:{redis_server.port}/0?ssl_cert_reqs=none"
    store = Place("redis", address, timeout_s=TIMEOUT_S).open()
    assert fails(lambda: store.admit(QUESTION)) in {"tls", "timeout", "reset"}
    store.close()


def test_plain_to_a_tls_port_is_an_error(tls_server):
    address = f"redis://{tls_server.host}:{tls_server.port}/0"
    store = Place("redis", address, timeout_s=TIMEOUT_S).open()
    assert fails(lambda: store.admit(QUESTION)) in {"tls", "timeout", "reset", "protocol"}
    store.close()


def test_a_certificate_that_nobody_trusts_is_a_tls_error(tls_server):
    address = f"rediss://{tls_server.host}:{tls_server.port}/0"
    store = Place("redis", address, timeout_s=TIMEOUT_S * 4).open()
    assert fails(lambda: store.admit(QUESTION)) == "tls"
    store.close()


def test_something_that_isnt_redis_is_a_protocol_error(http_faults):
    store = Place("redis", f"redis://127.0.0.1:{http_faults.port}/0", timeout_s=TIMEOUT_S * 4).open()
    assert fails(lambda: store.admit(QUESTION)) in {"protocol", "reset"}
    store.close()


def connect_often(store: Store, connections: int) -> None:
    """Leave that many idle connections."""
    barrier = Barrier(connections)

    def ask(_: int) -> None:
        barrier.wait()
        store.admit(QUESTION)

    with ThreadPoolExecutor(connections) as threads:
        list(threads.map(ask, range(connections)))


def test_connections_that_died_idle_are_replaced_without_an_error(redis_server, redis_proxy, store):
    connect_often(store, 6)
    redis_server.restart_empty()
    for _ in range(8):
        assert store.admit(QUESTION).store == "redis"


def test_several_dead_connections_cost_one_new_connection(redis_server, redis_proxy, store):
    connect_often(store, 6)
    redis_proxy.refuse()
    redis_proxy.pass_through()
    redis_proxy.reset_counts()
    for _ in range(8):
        assert store.admit(QUESTION).admitted
    assert redis_proxy.connections == 1


def test_connections_that_fell_silent_together_cost_one_failure(redis_proxy, store):
    clock = FakeClock()
    tracked = CircuitBreakerStore(store, Breaker(clock), clock)
    connect_often(store, 6)
    redis_proxy.blackhole()
    assert fails(lambda: tracked.ask(lambda asked: asked.admit(QUESTION))) == "timeout"
    for _ in range(8):
        clock.advance(1)
        assert tracked.ask(lambda asked: asked.admit(QUESTION)).admitted


def test_a_server_restarted_empty_causes_no_error_and_no_fresh_burst(redis_server, store):
    assert store.admit(QUESTION).limits[0].remaining == 999
    for _ in range(3):
        redis_server.restart_empty()
        # What it knew is lost, so that all may have been spent: one token, and what comes back from now on.
        assert [store.admit(QUESTION).admitted for _ in range(3)] == [True, False, False]


def test_a_refused_request_is_tried_on_one_fresh_connection_only(redis_proxy, store):
    store.admit(QUESTION)
    redis_proxy.reset_counts()
    redis_proxy.reset()
    fails(lambda: store.admit(QUESTION))
    assert redis_proxy.connections <= 1


def test_a_timeout_is_not_tried_again(redis_proxy, store):
    store.admit(QUESTION)
    redis_proxy.hang()
    redis_proxy.reset_counts()
    fails(lambda: store.admit(QUESTION))
    assert redis_proxy.connections == 0


def test_one_question_is_one_round_trip_on_one_connection(redis_proxy, store):
    store.admit(QUESTION)
    redis_proxy.reset_counts()
    for _ in range(5):
        store.admit(QUESTION)
    counts = redis_proxy.counts()
    questions = [command for command in counts.commands if command != "PING"]  # an event loop's batches end with one
    assert (counts.round_trips, counts.connections, questions) == (5, 0, ["EVALSHA"] * 5)


def test_callers_at_once_have_connections_of_their_own_and_keep_them(redis_proxy, store):
    connect_often(store, 8)
    redis_proxy.reset_counts()
    connect_often(store, 8)
    assert redis_proxy.connections <= 2
