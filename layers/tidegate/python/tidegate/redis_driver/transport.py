"""Commands sent in one round trip, to a server or to a cluster."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from tidegate.redis_driver.adaptive_timeout import AdaptiveTimeout
from tidegate.redis_driver.dialer import Dialer
from tidegate.redis_driver.faults import unavailable
from tidegate.redis_driver.node import FAILURES, KEPT_FOR_S, Node, RedisTarget
from tidegate.redis_driver.resp import Command
from tidegate.redis_driver.url import parse
from tidegate.steps import Threads

if TYPE_CHECKING:
    from tidegate.redis_driver.loop_transport import LoopTransport


class Transport(Protocol):
    """Sends commands in one round trip. A single command's error is its reply."""

    def send(self, commands: Sequence[Command], best_effort: int = 0) -> list[Any]:
        """Return one reply per command; a server's error reply is returned, not raised.

        Args:
            commands: at least one.
            best_effort: so many of the last ones may fail with their node, with the error as their reply.

        Raises:
            StoreUnavailableError: the commands couldn't be sent, or their replies not be read.
        """

    def open(self, patience_s: float) -> None:
        """Connect, if need be, while no request waits for a decision.

        Args:
            patience_s: seconds for all steps together; making a first connection ready (its certificates, its token)
                has a time of its own before.

        Raises:
            StoreUnavailableError: there is no connection in time.
        """

    def close(self) -> None:
        """Close the idle connections; the next command opens new ones."""

    def distrust(self) -> None:
        """Close the connections too on which replies may be shifted; whoever waits on the running loop's gets none."""


def transport_to(target: RedisTarget) -> Transport:
    """Make the transport for a server, a cluster or a client of redis-py's, without connecting it."""
    if target.client is not None:
        from tidegate.redis_driver.redis_py import RedisPyTransport  # noqa: PLC0415  redis-py is an extra

        return RedisPyTransport(target)
    if target.cluster:
        from tidegate.redis_driver.cluster import ClusterTransport  # noqa: PLC0415  most never need it

        return ClusterTransport(target)
    return NodeTransport(target)


class NodeTransport:
    """One Redis server."""

    def __init__(self, target: RedisTarget) -> None:
        self._dialer = Dialer(target.connect_timeout_s, target.credentials)
        self._address = parse(target.url)
        self._timeout = AdaptiveTimeout(target.timeout_s, adapts=target.adapts)
        self._node = Node(self._address, self._dialer, self._timeout)
        self._on_loops: LoopTransport | None = None

    def send(self, commands: Sequence[Command], best_effort: int = 0) -> list[Any]:  # noqa: ARG002  all are with one node
        """Send on an idle connection; if that proves dead before it replies, send again on a fresh one."""
        try:
            return self._node.send(commands)
        except FAILURES as error:
            raise unavailable(error) from error

    def open(self, patience_s: float) -> None:
        """Make a connection that threads use; an event loop opens its own with the first decision."""
        try:
            self._dialer.prepare(self._address)
            self._node.open(monotonic() + patience_s)
        except FAILURES as error:
            raise unavailable(error) from error

    def send_on_loop(self, commands: Sequence[Command], threads: Threads) -> Awaitable[list[Any]]:
        """Send on the running loop's connection, together with what its other coroutines send.

        Raises:
            UnheardError: the connection was dead, and nothing is known to have been executed: send again.
            StoreUnavailableError: as `send`.
        """
        return self._for_loops().send(commands, threads)

    def close(self) -> None:
        """Close the idle connections; a busy one is closed when its exchange fails."""
        self._node.close()
        if self._on_loops is not None:
            self._on_loops.close()

    def distrust(self) -> None:
        """Close the connection on which something else was replied than was asked for."""
        self._node.close()
        if self._on_loops is not None:
            self._on_loops.break_off()

    def _for_loops(self) -> LoopTransport:
        if self._on_loops is None:
            from tidegate.redis_driver.loop_transport import LoopTransport  # noqa: PLC0415  only servers need it

            connect = partial(self._dialer.connect, self._address)
            self._on_loops = LoopTransport(connect, self._timeout, KEPT_FOR_S)
        return self._on_loops


class SendStep(NamedTuple):
    """Commands to send, and replies to wait for.

    Attributes:
        transport: where to.
        commands: at least one.
        best_effort: so many of the last ones may fail, with the error as their reply.
    """

    transport: Transport
    commands: Sequence[Command]
    best_effort: int = 0

    def block(self) -> list[Any]:
        """Send them, and wait on this thread."""
        return self.transport.send(self.commands, self.best_effort)

    def wait(self, threads: Threads) -> Awaitable[list[Any]]:
        """Send them on the loop, where the transport can; else on a thread."""
        if isinstance(self.transport, NodeTransport):
            return self.transport.send_on_loop(self.commands, threads)
        return threads(self.block)
