"""The way to Redis: connections that are bounded in time and kept while they are well.

Around the protocol stand only what a decision needs: an end to every wait, no retry that could outlive the budget,
one fresh connection where an idle one proves dead, and errors sorted into the classes that the breaker counts.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from math import inf
from time import monotonic, time
from typing import Any, NamedTuple, Protocol

from tidegate.stores.dialer import Credentials, Dialer
from tidegate.stores.redis_faults import AuthenticationError, ReplyError, unavailable
from tidegate.stores.redis_url import Address, parse
from tidegate.stores.resp import Command, Connection, ProtocolError, pack

FAILURES = (OSError, ReplyError, AuthenticationError, ProtocolError, ValueError)

# Used a moment ago, a connection is taken as it is; after this rest it is looked at first, which costs a system call.
_TRUSTED_FOR_S = 1.0
# AWS forgets an idle connection after 350 s on the way (NAT gateways, network load balancers, the interfaces of
# functions in a VPC), Azure after 240 s, and neither says so: what is sent then is answered by nobody.
_KEPT_FOR_S = 200.0


class RedisTarget(NamedTuple):
    """Where Redis is and how long it may take.

    Attributes:
        url: `redis://`, `rediss://` or `unix://`; see `redis_url.parse`.
        timeout_s: seconds for the replies to what is sent at once.
        connect_timeout_s: seconds for each step of connecting, TLS and authentication included.
        cluster: whether it speaks the cluster protocol.
        credentials: where tokens come from, such as ElastiCache's IAM authentication.
    """

    url: str
    timeout_s: float
    connect_timeout_s: float
    cluster: bool = False
    credentials: Credentials | None = None

    def check(self) -> None:
        """Read the URL without connecting.

        Raises:
            ValueError: it can't be read, or names an option that isn't known.
        """
        address = parse(self.url)
        if self.cluster and address.database:
            raise ValueError("a cluster has the database 0 only")
        if self.cluster and address.path is not None:
            raise ValueError("a cluster has no Unix socket")


class Transport(Protocol):
    """Sends commands in one round trip, and hands errors of single commands back in their places."""

    def send(self, commands: Sequence[Command], spared: int = 0) -> list[Any]:
        """Return one reply per command; a server's error reply is returned, not raised.

        Args:
            commands: at least one.
            spared: so many of the last ones may be lost with their node: the error is then their reply.

        Raises:
            StoreUnavailableError: the server could not be asked, or its answer not be read.
        """

    def close(self) -> None:
        """Close the idle connections; the next command opens new ones."""


def transport_to(target: RedisTarget) -> Transport:
    """Make the transport for a server or a cluster, without connecting it."""
    if target.cluster:
        from tidegate.stores.cluster import ClusterTransport  # noqa: PLC0415  most never need it

        return ClusterTransport(target)
    return NodeTransport(target)


class NodeTransport:
    """One Redis server."""

    def __init__(self, target: RedisTarget) -> None:
        dialer = Dialer(target.connect_timeout_s, target.credentials)
        self._node = Node(parse(target.url), dialer, target.timeout_s)

    def send(self, commands: Sequence[Command], spared: int = 0) -> list[Any]:  # noqa: ARG002  all are with one node
        """Send on an idle connection; if that one proves dead before it answers, once more on a fresh one."""
        try:
            return self._node.send(commands)
        except FAILURES as error:
            raise unavailable(error) from error

    def close(self) -> None:
        """Close the idle connections; busy ones close when they come back broken."""
        self._node.close()


class Exchange:
    """Commands that were sent on a connection and not yet answered."""

    __slots__ = ("connection", "count", "ends_at", "packed", "reused")

    def __init__(self, connection: Connection, packed: bytes, count: int, ends_at: float, *, reused: bool) -> None:
        self.connection = connection
        self.packed = packed
        self.count = count
        self.ends_at = ends_at
        self.reused = reused

    def abandon(self) -> None:
        """Give up on the replies; on the same connection they would pass for those to the next commands."""
        self.connection.close()


class Node:
    """One server with a stack of idle connections, the one used last on top; thread-safe.

    Args:
        address: where it is.
        dialer: how to connect there.
        timeout_s: seconds for the replies to what is sent at once.
    """

    def __init__(self, address: Address, dialer: Dialer, timeout_s: float) -> None:
        self.address = address
        # Whether the latest exchange failed.
        self.failed = False
        self._dialer = dialer
        self._timeout_s = timeout_s
        self._idle: list[Connection] = []
        self._process = os.getpid()

    def send(self, commands: Sequence[Command], until: float = inf) -> list[Any]:
        """Send commands and return their replies: `begin` and `finish` in one."""
        return self.finish(self.begin(commands, until), until)

    def begin(self, commands: Sequence[Command], until: float = inf) -> Exchange:
        """Send commands without waiting for their replies.

        Args:
            commands: at least one.
            until: when to give up whatever the timeouts say; seconds of the monotonic clock.

        Raises:
            OSError, ReplyError, AuthenticationError: the server can't be reached, or lets nobody in.
        """
        packed = pack(commands)
        connection = self._take()
        if connection is not None:
            try:
                return self._sent(connection, packed, len(commands), until, reused=True)
            except ConnectionError:
                self.close()
        return self._sent(self._connect(until), packed, len(commands), until, reused=False)

    def finish(self, exchange: Exchange, until: float = inf) -> list[Any]:
        """Return the replies; if the connection was an idle one that proves dead, send all on one fresh connection.

        Raises:
            OSError, ReplyError, AuthenticationError, ProtocolError: no replies; what was done is unknown.
        """
        try:
            return self._replies(exchange)
        except ConnectionError:
            if not exchange.reused or exchange.connection.heard:
                raise
        self.close()
        again = self._sent(self._connect(until), exchange.packed, exchange.count, until, reused=False)
        return self._replies(again)

    def close(self) -> None:
        """Close the idle connections; busy ones close when they come back broken."""
        with suppress(IndexError):
            while True:
                self._idle.pop().close()

    def _take(self) -> Connection | None:
        """Return the connection used last, unless it has ended: those below it have rested for longer still."""
        if self._process != os.getpid():
            # A fork: the parent goes on using these connections, so here they are only let go of.
            self._process = os.getpid()
            self.close()
        try:
            connection = self._idle.pop()
        except IndexError:
            return None
        rested_s = time() - connection.used_at
        if rested_s < _TRUSTED_FOR_S or (rested_s < _KEPT_FOR_S and connection.quiet):
            return connection
        connection.close()
        self.close()
        return None

    def _connect(self, until: float) -> Connection:
        try:
            return self._dialer.connect(self.address, until)
        except BaseException:
            self.failed = True
            raise

    def _sent(self, connection: Connection, packed: bytes, count: int, until: float, *, reused: bool) -> Exchange:
        ends_at = min(monotonic() + self._timeout_s, until)
        try:
            connection.send(packed, ends_at)
        except BaseException:
            self._drop(connection)
            raise
        return Exchange(connection, packed, count, ends_at, reused=reused)

    def _replies(self, exchange: Exchange) -> list[Any]:
        connection = exchange.connection
        try:
            replies = connection.read(exchange.count, exchange.ends_at)
        except BaseException:
            self._drop(connection)
            raise
        connection.used_at = time()
        self.failed = False
        self._idle.append(connection)
        return replies

    def _drop(self, connection: Connection) -> None:
        self.failed = True
        connection.close()
