"""The connections to one Redis server: bounded in time, and kept while they are well.

Beside the protocol they do only what a decision needs. Every wait has an end, and no retry can outlive the budget. If
an idle connection proves dead, one fresh connection is tried. Errors are sorted into the classes that are counted.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from math import inf
from time import monotonic, time
from typing import Any, NamedTuple

from tidegate.redis_driver.adaptive_timeout import AdaptiveTimeout
from tidegate.redis_driver.dialer import Credentials, Dialer
from tidegate.redis_driver.faults import AuthenticationError, ReplyError
from tidegate.redis_driver.resp import Command, Connection, ProtocolError, pack
from tidegate.redis_driver.url import Address, parse

FAILURES = (OSError, ReplyError, AuthenticationError, ProtocolError)

# The network drops an idle connection without notice: AWS after 350 s (NAT gateways, network load balancers, the
# interfaces of functions in a VPC), Azure after 240 s. A command that is then sent on it gets no reply.
KEPT_FOR_S = 200.0


class RedisTarget(NamedTuple):
    """Where Redis is and how long it may take.

    Attributes:
        url: `redis://`, `rediss://` or `unix://`; see `redis_driver.url.parse`.
        timeout_s: seconds for the replies to all commands of one round trip, at most (see `adaptive_timeout`).
        connect_timeout_s: seconds for each step of connecting, TLS and authentication included.
        cluster: whether it speaks the cluster protocol.
        adapts: whether the replies' timeout follows what is seen of the server, within `timeout_s`.
        credentials: provides tokens, as for ElastiCache's IAM authentication.
        client: an application's own redis-py client, used in place of the URL.
    """

    url: str
    timeout_s: float
    connect_timeout_s: float
    cluster: bool = False
    credentials: Credentials | None = None
    adapts: bool = True
    client: Any = None

    def __repr__(self) -> str:
        return f"RedisTarget(timeout_s={self.timeout_s}, cluster={self.cluster})"  # the URL may hold a password

    def check(self) -> None:
        """Check the URL, and the certificates that it names, without connecting.

        Raises:
            ValueError: it can't be read, or names an unknown option or a missing file.
        """
        if self.client is not None:
            return
        address = parse(self.url)
        if address.tls is not None and (address.tls.ca_certs or address.tls.ca_path or address.tls.certfile):
            try:
                address.tls.context()
            except OSError as error:
                raise ValueError(f"its certificates: {error}") from error
        if self.cluster and address.database:
            raise ValueError("a cluster has the database 0 only")
        if self.cluster and address.path is not None:
            raise ValueError("a cluster has no Unix socket")


class Exchange:
    """Commands that were sent on a connection, and whose replies aren't read yet."""

    __slots__ = ("connection", "count", "ends_at", "packed", "reused", "sent_at")

    def __init__(
        self, connection: Connection, packed: bytes, count: int, times: tuple[float, float], *, reused: bool
    ) -> None:
        self.connection = connection
        self.packed = packed
        self.count = count
        self.sent_at, self.ends_at = times
        self.reused = reused

    def abandon(self) -> None:
        """Give up on the replies; the connection is closed, or they would be taken for the next commands' replies."""
        self.connection.close()


class Node:
    """One server with a stack of idle connections, the one used last on top; thread-safe.

    Args:
        address: where it is.
        dialer: opens its connections.
        timeout: how long to wait for the replies to all commands of one round trip.
    """

    def __init__(self, address: Address, dialer: Dialer, timeout: AdaptiveTimeout) -> None:
        self.address = address
        # Whether the latest exchange failed.
        self.failed = False
        self._dialer = dialer
        self._timeout = timeout
        self._idle: list[Connection] = []
        self._process = os.getpid()

    def open(self, until: float, commands: Sequence[Command] = ()) -> list[Any]:
        """Connect if no connection is idle, and send first commands: each step may take all the time that is left.

        Args:
            until: when to give up; seconds of the monotonic clock.
            commands: what to ask on the connection.

        Returns:
            Their replies.

        Raises:
            OSError, ReplyError, AuthenticationError, ProtocolError: as `begin` and `finish`.
        """
        connection = self._take() or self._connect(until, patiently=True)
        if not commands:
            self._keep(connection)
            return []
        exchange = self._sent(connection, pack(commands), len(commands), (inf, until), reused=False)
        return self._replies(exchange)

    def send(self, commands: Sequence[Command], until: float = inf) -> list[Any]:
        """Send commands and return their replies: `begin` and `finish` in one."""
        return self.finish(self.begin(commands, until), until)

    def begin(self, commands: Sequence[Command], until: float = inf) -> Exchange:
        """Send commands without waiting for their replies.

        Args:
            commands: at least one.
            until: when to give up at the latest; seconds of the monotonic clock.

        Raises:
            OSError, ReplyError, AuthenticationError: the server can't be reached, or refuses the connection.
            ProtocolError: it sent a reply that belongs to no command.
        """
        packed = pack(commands)
        connection = self._take()
        if connection is not None:
            try:
                return self._sent(connection, packed, len(commands), self._bounds(until), reused=True)
            except ConnectionError:
                self.close()
        return self._sent(self._connect(until), packed, len(commands), self._bounds(until), reused=False)

    def finish(self, exchange: Exchange, until: float = inf) -> list[Any]:
        """Return the replies; if an idle connection proves dead, send the commands again on a fresh one.

        Raises:
            OSError, ReplyError, AuthenticationError, ProtocolError: no replies; some commands may have been executed.
        """
        try:
            return self._replies(exchange)
        except ConnectionError:
            if not exchange.reused or exchange.connection.heard:
                raise
        self.close()
        again = self._sent(self._connect(until), exchange.packed, exchange.count, self._bounds(until), reused=False)
        return self._replies(again)

    def close(self) -> None:
        """Close the idle connections; a busy one is closed when its exchange fails."""
        with suppress(IndexError):
            while True:
                self._idle.pop().close()

    def _take(self) -> Connection | None:
        """Return the connection used last. If that was closed, all are, since the others have been idle for longer.

        The connection is polled first, which costs a system call (half a microsecond). There is no other way to notice
        a late reply too many, which would be taken for the reply to the next command.

        Raises:
            ProtocolError: a reply came that belongs to no command.
        """
        if self._process != os.getpid():
            # After a fork the parent goes on using these connections: here only their descriptors are closed.
            self._process = os.getpid()
            self.close()
        try:
            connection = self._idle.pop()
        except IndexError:
            return None
        try:
            if time() - connection.used_at < KEPT_FOR_S and (connection.quiet or not connection.ended):
                return connection
        except ProtocolError:
            self._drop(connection)
            self.close()
            raise
        connection.close()
        self.close()
        return None

    def _connect(self, until: float, *, patiently: bool = False) -> Connection:
        try:
            return self._dialer.connect(self.address, until, patiently=patiently)
        except BaseException:
            self.failed = True
            raise

    def _bounds(self, until: float) -> tuple[float, float]:
        """Return how long replies may take, and when they are given up at the latest."""
        return self._timeout.seconds, until

    def _sent(
        self, connection: Connection, packed: bytes, count: int, bounds: tuple[float, float], *, reused: bool
    ) -> Exchange:
        now = monotonic()
        longest_s, until = bounds
        ends_at = min(now + longest_s, until)
        try:
            connection.send(packed, ends_at)
        except BaseException:
            self._drop(connection)
            raise
        return Exchange(connection, packed, count, (now, ends_at), reused=reused)

    def _replies(self, exchange: Exchange) -> list[Any]:
        connection = exchange.connection
        try:
            replies = connection.read(exchange.count, exchange.ends_at)
        except BaseException as error:
            if isinstance(error, TimeoutError):
                self._timeout.expired()
            self._drop(connection)
            raise
        self._timeout.answered(monotonic() - exchange.sent_at)
        self._keep(connection)
        return replies

    def _keep(self, connection: Connection) -> None:
        connection.used_at = time()
        self.failed = False
        self._idle.append(connection)

    def _drop(self, connection: Connection) -> None:
        self.failed = True
        connection.close()
