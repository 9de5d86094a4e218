"""Connections to a real server: who we are, which database, how long one is kept, and whose it is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.harness.redis_server import RedisServer
from tidegate import StoreUnavailableError
from tidegate.redis_driver import node as module
from tidegate.redis_driver.node import RedisTarget
from tidegate.redis_driver.transport import NodeTransport

AMPLE_S = 20.0
PING = [("PING",)]


@pytest.fixture
def transport() -> Iterator[Callable[..., NodeTransport]]:
    """`transport(url)` is a transport to there; it is closed with the test."""
    made: list[NodeTransport] = []

    def make(url: str, timeout_s: float = AMPLE_S, **options) -> NodeTransport:
        made.append(NodeTransport(RedisTarget(url, timeout_s, timeout_s, **options)))
        return made[-1]

    yield make
    for each in made:
        each.close()


class WallClock:
    """The clock by which a connection's rest is measured."""

    def __init__(self) -> None:
        self.now_s = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> WallClock:
    wall = WallClock()
    monkeypatch.setattr(module, "time", wall)
    return wall


def test_a_server_on_a_unix_socket_is_spoken_to(transport, tmp_path):
    path = tmp_path / "r.sock"
    with RedisServer(f"unixsocket {path}"):
        assert transport(f"unix://{path}?db=3").send([("CLIENT", "LIST")])[0].count(b" db=3 ") == 1


def test_a_socket_that_isnt_there_is_refused(transport, tmp_path):
    with pytest.raises(StoreUnavailableError) as raised:
        transport(f"unix://{tmp_path}/none.sock").send(PING)
    assert raised.value.kind == "refused"


def test_a_name_that_nobody_has_is_refused(transport):
    with pytest.raises(StoreUnavailableError) as raised:
        transport("redis://tidegate.invalid:6379").send(PING)
    assert raised.value.kind in {"refused", "timeout"}


def test_a_users_name_and_odd_password_are_sent_as_they_are(transport, fresh_redis):
    fresh_redis.command("ACL", "SETUSER", "app", "on", ">p@ss/:% ", "+@all", "~*")
    url = f"redis://app:p%40ss%2F%3A%25%20@{fresh_redis.host}:{fresh_redis.port}/2"
    assert transport(url).send([("ACL", "WHOAMI"), ("CLIENT", "INFO")])[0] == b"app"


def test_the_database_is_selected_on_each_connection(transport, redis_server, redis_db):
    transport(f"redis://{redis_server.host}:{redis_server.port}/5").send([("SET", "key", "value")])
    assert redis_db.get("key") is None
    redis_db.select(5)
    assert redis_db.get("key") == b"value"


def test_a_database_that_isnt_there_is_an_error(transport, redis_server):
    with pytest.raises(StoreUnavailableError, match="DB index"):
        transport(f"redis://{redis_server.host}:{redis_server.port}/999").send(PING)


class Tokens:
    """A provider whose tokens last for one connection."""

    def __init__(self) -> None:
        self.given: list[str] = []
        self.fault: Exception | None = None

    def get_credentials(self) -> tuple[str, str]:
        if self.fault is not None:
            raise self.fault
        self.given.append(f"token-{len(self.given)}")
        return "app", self.given[-1]


def test_each_connection_has_credentials_of_its_own(transport, fresh_redis):
    fresh_redis.command("ACL", "SETUSER", "app", "on", ">token-0", ">token-1", "+@all", "~*")
    tokens = Tokens()
    to = transport(fresh_redis.url, credentials=tokens)
    for _ in range(2):
        assert to.send([("ACL", "WHOAMI")]) == [b"app"]
        assert to.send(PING) == [b"PONG"]
        to.close()
    assert tokens.given == ["token-0", "token-1"]


def test_a_refused_token_and_a_missing_one_are_authentication_errors(transport, fresh_redis):
    tokens = Tokens()
    to = transport(fresh_redis.url, credentials=tokens)
    for fault in (None, KeyError("no role")):
        tokens.fault = fault
        with pytest.raises(StoreUnavailableError) as raised:
            to.send(PING)
        assert raised.value.kind == "authentication"


def test_replies_and_errors_stand_in_the_order_of_their_commands(transport, redis_server):
    commands = [("SET", "a", b"\r\n\xff"), ("LPUSH", "a", 1), ("GET", "a"), ("EVALSHA", "0" * 40, 0)]
    done, wrong, value, unknown = transport(redis_server.url).send(commands)
    assert (done, value) == (b"OK", b"\r\n\xff")
    assert (wrong.code, unknown.code) == ("WRONGTYPE", "NOSCRIPT")


def test_a_connection_idle_beyond_what_networks_remember_is_replaced(transport, redis_proxy, redis_server, wall):
    """Nothing would answer on it, and nothing says so: the proxy swallows what is sent."""
    to = transport(redis_proxy.url(redis_server.url))
    to.send(PING)
    redis_proxy.blackhole()
    wall.now_s += module.KEPT_FOR_S
    redis_proxy.reset_counts()
    assert to.send(PING) == [b"PONG"]
    assert redis_proxy.counts().commands == ("PING",)


def test_a_connection_that_rested_a_while_is_used_if_it_lives(transport, redis_proxy, redis_server, wall):
    to = transport(redis_proxy.url(redis_server.url))
    to.send(PING)
    wall.now_s += module.KEPT_FOR_S / 2
    redis_proxy.reset_counts()
    assert to.send(PING) == [b"PONG"]
    assert redis_proxy.connections == 0


def test_a_connection_that_ended_while_idle_is_replaced_before_a_send(transport, redis_server):
    to = transport(redis_server.url)
    to.send(PING)
    [connection] = to._node._idle
    redis_server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    connection._readable.poll(10_000)  # the end has come over the wire
    sent: list[bytes] = []
    connection_type = type(connection)
    original = connection_type.send

    def noting(self, packed, ends_at):
        sent.append(packed if self is connection else b"")
        original(self, packed, ends_at)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection_type, "send", noting)
        assert to.send(PING) == [b"PONG"]
    assert sent == [b""]


FORK = """
import os, sys
from tidegate.redis_driver.node import RedisTarget
from tidegate.redis_driver.transport import NodeTransport
to = NodeTransport(RedisTarget(sys.argv[1], 20, 20))
[ours] = to.send([("CLIENT", "ID")])
child = os.fork()
if child == 0:
    [theirs] = to.send([("CLIENT", "ID")])
    os._exit(theirs != ours and 7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert to.send([("CLIENT", "ID")]) == [ours]
"""


def test_a_forked_process_opens_connections_of_its_own(redis_server):
    done = subprocess.run(
        [sys.executable, "-c", FORK, redis_server.url], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_without_hiredis_one_is_told_what_to_install():
    code = "import sys; sys.modules['hiredis'] = None; import tidegate.redis_driver.node"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert "ImportError: Tidegate speaks to Redis through hiredis" in done.stderr
    assert "pip install hiredis" in done.stderr
