"""A server that answers too much, too late or something else: nobody is ever given what another one asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.contract.hostile import AMPLE_S, QUIET_S, opened_on
from tests.contract.store_errors import kind_of
from tests.harness.hostile_redis import HostileRedis, bulk, echo
from tidegate.redis_driver.node import RedisTarget
from tidegate.redis_driver.resp import Connection
from tidegate.redis_driver.transport import NodeTransport


@pytest.fixture
def node(closing) -> Callable[..., NodeTransport]:
    def connect(server: HostileRedis, timeout_s: float = AMPLE_S, connect_timeout_s: float = AMPLE_S) -> NodeTransport:
        made = NodeTransport(RedisTarget(server.url, timeout_s, connect_timeout_s))
        closing.callback(made.close)
        return made

    return connect


def wait_until_readable(transport: NodeTransport) -> None:
    [connection] = transport._node._idle
    assert connection._readable.poll(10_000)


EXTRA = {
    "another reply": bulk(b"extra"),
    "half of another reply": b"$10\r\nhalf",
    "an error": b"-ERR late\r\n",
    "a push": b">2\r\n+invalidate\r\n+key\r\n",
    "an empty line": b"\r\n",
    "a byte": b"+",
}


@pytest.mark.parametrize("extra", EXTRA.values(), ids=EXTRA)
def test_an_extra_frame_ends_its_connection_and_voids_its_replies(hostile, node, extra):
    server = hostile(lambda command: echo(command) + extra)
    transport = node(server)
    assert kind_of(lambda: transport.send([("GET", "a")])) == "protocol"
    server.answers = echo
    assert [transport.send([("GET", name)]) for name in "bcd"] == [[b"b"], [b"c"], [b"d"]]
    assert server.connections == 2


@pytest.mark.parametrize("extra", EXTRA.values(), ids=EXTRA)
def test_a_frame_that_comes_late_is_seen_before_anything_else_is_asked(hostile, node, extra):
    server = hostile(echo)
    transport = node(server)
    assert transport.send([("GET", "a")]) == [b"a"]
    server.say(extra)
    wait_until_readable(transport)
    assert kind_of(lambda: transport.send([("GET", "b")])) == "protocol"
    assert [transport.send([("GET", name)]) for name in "bcd"] == [[b"b"], [b"c"], [b"d"]]


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_frame_too_many_in_a_pipeline_spoils_all_of_it(hostile, node, at):
    replies = [bulk(name) for name in (b"a", b"b", b"c")]
    replies.insert(at, bulk(b"extra"))
    server = hostile(lambda command: b"".join(replies) if command[-1] == b"c" else b"")
    transport = node(server)
    assert kind_of(lambda: transport.send([("GET", name) for name in "abc"])) == "protocol"
    server.answers = echo
    assert transport.send([("GET", "a"), ("GET", "c")]) == [b"a", b"c"]


def test_an_error_in_a_pipeline_stays_in_its_place_and_shifts_no_reply(hostile, node):
    server = hostile(lambda command: b"-ERR no\r\n" if command[-1] == b"b" else echo(command))
    transport = node(server)
    for _ in range(2):
        one, error, three = transport.send([("GET", name) for name in "abc"])
        assert (one, error.code, three) == (b"a", "ERR", b"c")
    assert server.connections == 1


@pytest.mark.parametrize("kind", [b"#t\r\n", b",1.5\r\n", b"%1\r\n+a\r\n+b\r\n", b">1\r\n+a\r\n"])
def test_replies_of_kinds_that_resp2_hasnt_are_refused(hostile, node, kind):
    assert kind_of(lambda: node(hostile(lambda _: kind)).send([("GET", "a")])) == "protocol"


def test_a_push_between_two_replies_is_no_reply(hostile, node):
    server = hostile(lambda command: echo(command) + b">1\r\n+invalidate\r\n")
    assert kind_of(lambda: node(server).send([("GET", "a"), ("GET", "b")])) == "protocol"


def test_a_reply_that_came_after_the_timeout_is_nobodys(hostile, node):
    asked = threading.Event()

    def late(command):
        if command[-1] != b"a":
            return echo(command)
        asked.set()
        return b""

    server = hostile(late)
    transport = node(server, timeout_s=QUIET_S)
    assert kind_of(lambda: transport.send([("GET", "a")])) == "timeout"
    assert asked.wait(30)  # else it would be said to the next connection
    with suppress(OSError):  # the server may have seen already that this one has left
        server.say(bulk(b"a"))
    transport._timeout.seconds = AMPLE_S
    assert transport.send([("GET", "b")]) == [b"b"]
    assert transport.send([("GET", "c")]) == [b"c"]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), GeneratorExit(), MemoryError()], ids=repr)
def test_an_exchange_that_is_broken_off_half_way_leaves_no_connection(hostile, node, interruption, monkeypatch):
    server = hostile(echo)
    transport = node(server)
    transport.send([("GET", "a")])
    [connection] = transport._node._idle

    def broken_off(_self, _ends_at: float) -> bytes:
        raise interruption

    with monkeypatch.context() as patch:
        patch.setattr(type(connection), "_receive", broken_off)
        with pytest.raises(type(interruption)):
            transport.send([("GET", "b")])
    assert transport.send([("GET", "c")]) == [b"c"]


def test_what_refuses_whoever_connects_is_read_as_that(hostile, closing):
    server = hostile(lambda _: b"", greeting=b"-ERR max number of clients reached\r\n")
    store = opened_on(server, closing)
    assert kind_of(store.probe) == "refused"


@pytest.fixture
def greeting_first(monkeypatch) -> None:
    """Whoever connects looks for what the server says only when it has come."""
    monkeypatch.setattr(Connection, "quiet", property(lambda made: not made._readable.poll(10_000)))


@pytest.mark.usefixtures("greeting_first")
class TestAGreeting:
    """It has come before anything was sent."""

    def test_of_a_refusal_is_read_as_that(self, hostile, node):
        server = hostile(lambda _: b"", greeting=b"-ERR max number of clients reached\r\n")
        assert kind_of(lambda: node(server).send([("GET", "a")])) == "refused"

    def test_of_something_else_is_no_reply(self, hostile, node):
        server = hostile(echo, greeting=b"+hello\r\n")
        assert kind_of(lambda: node(server).send([("GET", "a")])) == "protocol"

    def test_that_never_ends_is_waited_for_no_longer_than_a_reply(self, hostile, node):
        server = hostile(echo, greeting=b"-ERR max number")
        assert kind_of(lambda: node(server, connect_timeout_s=QUIET_S).send([("GET", "a")])) == "timeout"
