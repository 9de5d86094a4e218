"""Coroutines of one event loop share one connection: what that saves, and that nobody gets another one's reply."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import pytest

from tests.contract.hostile import AMPLE_S, LIMITED
from tests.contract.store_errors import kind_of
from tests.harness.hostile_redis import HostileRedis, bulk, echo
from tests.harness.waiting import eventually
from tidegate.clock import SystemClock
from tidegate.errors import StoreUnavailableError
from tidegate.redis_driver.node import RedisTarget
from tidegate.redis_driver.transport import NodeTransport, SendStep
from tidegate.steps import run_on_loop
from tidegate.stores.redis.store import RedisStore


async def threads(call: Callable[[], object]) -> object:
    return await asyncio.get_running_loop().run_in_executor(None, call)


@pytest.fixture
def loop():
    made = asyncio.new_event_loop()
    yield made
    made.run_until_complete(made.shutdown_default_executor())
    made.close()


@pytest.fixture
def transport(closing) -> Callable[..., NodeTransport]:
    def connect(url: str, timeout_s: float = AMPLE_S) -> NodeTransport:
        made = NodeTransport(RedisTarget(url, timeout_s, AMPLE_S))
        closing.callback(made.close)
        return made

    return connect


async def get(transport: NodeTransport, name: str) -> list:
    return await SendStep(transport, [("GET", name)]).wait(threads)


async def say(transport: NodeTransport, text: str) -> list:
    return await SendStep(transport, [("ECHO", text)]).wait(threads)


async def all_of(*asked) -> list:
    """What each got; a failure is its own."""
    return list(await asyncio.gather(*asked, return_exceptions=True))


def test_questions_of_one_turn_are_one_round_trip_on_one_connection(loop, transport, redis_server, redis_proxy):
    to = transport(redis_proxy.url(redis_server.url))
    loop.run_until_complete(get(to, "first"))
    redis_proxy.reset_counts()

    async def crowd() -> list:
        return await asyncio.gather(*(say(to, f"{i}") for i in range(100)))

    assert loop.run_until_complete(crowd()) == [[b"%d" % i] for i in range(100)]
    counts = redis_proxy.counts()
    assert (counts.round_trips, counts.connections, len(counts.commands)) == (1, 0, 101)


def test_a_crowd_that_comes_first_opens_one_connection(loop, transport, redis_server, redis_proxy):
    to = transport(redis_proxy.url(redis_server.url))
    loop.run_until_complete(all_of(*(get(to, f"{i}") for i in range(50))))
    assert redis_proxy.connections == 1


@pytest.mark.parametrize("at", range(4))
def test_one_reply_too_many_is_given_to_nobody(hostile, loop, transport, at):
    server = hostile(echo)
    to = transport(server.url)
    loop.run_until_complete(get(to, "warm"))
    asked = ["a", "b", "c"]

    def answers(command: list[bytes]) -> bytes:
        extra = bulk(b"extra") if command[-1] == (*map(str.encode, asked), b"PING")[at] else b""
        return extra + echo(command)

    server.answers = answers
    if at == 3:
        server.answers = lambda command: echo(command) + (bulk(b"extra") if command[0] == b"PING" else b"")
    got = loop.run_until_complete(all_of(*(get(to, name) for name in asked)))
    if at < 3:
        assert {fault.kind for fault in got} == {"protocol"}
    else:  # it came after the last one's own
        assert got == [[b"a"], [b"b"], [b"c"]]
    server.answers = echo
    assert loop.run_until_complete(all_of(*(get(to, name) for name in asked))) == [[b"a"], [b"b"], [b"c"]]


def test_a_caller_who_leaves_takes_nobodys_reply_along(loop, transport, redis_server):
    to = transport(redis_server.url)

    async def scene() -> list:
        await get(to, "warm")
        staying, leaving, after = (asyncio.ensure_future(say(to, name)) for name in ("a", "b", "c"))
        await asyncio.sleep(0)
        leaving.cancel()
        return [await staying, await after, await asyncio.gather(leaving, return_exceptions=True)]

    assert loop.run_until_complete(scene())[:2] == [[b"a"], [b"c"]]


def test_a_hung_server_fails_each_in_its_time_and_the_next_connect_anew(loop, transport, redis_server, redis_proxy):
    to = transport(redis_proxy.url(redis_server.url), timeout_s=0.2)
    loop.run_until_complete(get(to, "warm"))
    redis_proxy.hang()
    got = loop.run_until_complete(all_of(*(get(to, f"{i}") for i in range(10))))
    assert {fault.kind for fault in got} == {"timeout"}
    redis_proxy.pass_through()
    redis_proxy.reset_counts()
    assert loop.run_until_complete(get(to, "again")) == [None]
    assert redis_proxy.connections == 1


def test_a_server_that_closed_an_idle_connection_is_asked_again(loop, transport, fresh_redis):
    to = transport(fresh_redis.url)
    loop.run_until_complete(get(to, "warm"))
    fresh_redis.command("CLIENT", "KILL", "TYPE", "normal")
    store = RedisStore(RedisTarget(fresh_redis.url, AMPLE_S, AMPLE_S), "n", "me", SystemClock())
    with contextlib.closing(store):
        for _ in range(2):
            assert loop.run_until_complete(run_on_loop(store.admitting(LIMITED), threads)).admitted
            fresh_redis.command("CLIENT", "KILL", "TYPE", "normal")


def test_every_loop_has_its_own_and_a_closed_ones_is_let_go(transport, redis_server, redis_proxy):
    to = transport(redis_proxy.url(redis_server.url))
    for _ in range(3):
        mine = asyncio.new_event_loop()
        assert mine.run_until_complete(get(to, "key")) == [None]
        mine.run_until_complete(mine.shutdown_default_executor())
        mine.close()
    assert redis_proxy.open_connections <= 2, "the last one's, and one that is about to be closed"


def test_a_refusal_of_everything_is_read_as_that(hostile, loop, transport):
    server: HostileRedis = hostile(lambda _: b"-LOADING Redis is loading the dataset in memory\r\n")
    to = transport(server.url)
    assert kind_of(lambda: loop.run_until_complete(get(to, "a"))) == "loading"


def test_closing_lets_what_was_sent_be_answered(loop, transport, redis_server):
    to = transport(redis_server.url)

    async def scene() -> list:
        await get(to, "warm")
        asked = asyncio.ensure_future(say(to, "a"))
        await asyncio.sleep(0)
        to.close()
        return await asked

    assert loop.run_until_complete(scene()) == [b"a"]


def test_what_cannot_be_connected_fails_everybody_who_waits(loop, transport):
    to = transport("redis://127.0.0.1:1/0")
    got = loop.run_until_complete(all_of(*(get(to, f"{i}") for i in range(5))))
    assert all(isinstance(fault, StoreUnavailableError) and fault.kind == "refused" for fault in got)


def test_an_error_before_a_reply_too_many_hides_it_not(hostile, loop, transport):
    to = transport(hostile(lambda command: b"-ERR no\r\n" if command[0] == b"GET" else bulk(b"extra")).url)
    assert kind_of(lambda: loop.run_until_complete(get(to, "a"))) == "protocol"


def test_a_loop_that_ends_before_the_reply_leaves_no_connection(transport, redis_server, redis_proxy):
    to, mine = transport(redis_proxy.url(redis_server.url)), asyncio.new_event_loop()

    async def left_waiting() -> None:
        await get(to, "warm")
        redis_proxy.hang()
        asked = asyncio.ensure_future(get(to, "a"))
        await asyncio.sleep(0)
        to.close()  # as at a server's end, or before a probe
        await asyncio.sleep(0)
        asked.cancel()

    mine.run_until_complete(left_waiting())
    mine.run_until_complete(mine.shutdown_default_executor())
    mine.close()
    to.close()
    eventually(lambda: not redis_proxy.open_connections)


def test_who_leaves_while_a_connection_is_opened_leaves_none(transport, redis_server, redis_proxy):
    to, mine = transport(redis_proxy.url(redis_server.url)), asyncio.new_event_loop()

    async def left_opening() -> None:
        asked = asyncio.ensure_future(get(to, "a"))
        await asyncio.sleep(0)
        for task in asyncio.all_tasks():  # as `asyncio.run` ends
            if task is not asyncio.current_task():
                task.cancel()
        await asyncio.gather(asked, return_exceptions=True)

    mine.run_until_complete(left_opening())
    mine.run_until_complete(mine.shutdown_default_executor())
    mine.close()
    eventually(lambda: not redis_proxy.open_connections)
