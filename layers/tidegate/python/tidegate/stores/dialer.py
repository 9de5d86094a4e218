"""How a connection to Redis is made: the socket, TLS, who we are, and which database."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from time import monotonic
from typing import Any, Protocol

from tidegate.stores.redis_faults import AuthenticationError, ReplyError, kind_of
from tidegate.stores.redis_url import Address
from tidegate.stores.resolver import lookup
from tidegate.stores.resp import Command, Connection, pack


class Credentials(Protocol):
    """Where a user's name and a password come from that don't last, such as ElastiCache's IAM tokens."""

    def get_credentials(self) -> tuple[str, str]:
        """Return the user's name and a password that is valid now; called for each new connection."""


class Dialer:
    """Makes connections to a server, or to the nodes of one cluster.

    Args:
        timeout_s: seconds for each step: the name, the socket, TLS, AUTH and SELECT.
        credentials: instead of the address' own user and password.
    """

    def __init__(self, timeout_s: float, credentials: Credentials | None = None) -> None:
        self._timeout_s = timeout_s
        self._credentials = credentials
        self._tls: ssl.SSLContext | None = None

    def connect(self, address: Address, ends_at: float) -> Connection:
        """Connect.

        Args:
            address: where to.
            ends_at: when to give up in any case; seconds of the monotonic clock.

        Raises:
            OSError: nobody is there, in time, who speaks TLS if we do.
            AuthenticationError: we aren't let in.
            ReplyError: the database can't be selected.
        """
        sock = self._socket(address, ends_at)
        try:
            if address.tls is not None:
                sock = self._encrypted(sock, address, ends_at)
            connection = Connection(sock)
            self._introduce(connection, address, ends_at)
        except BaseException:
            sock.close()
            raise
        return connection

    def _socket(self, address: Address, ends_at: float) -> socket.socket:
        if address.path is not None:
            return _opened(socket.AF_UNIX, address.path, self._left(ends_at))
        step_ends_at = monotonic() + self._left(ends_at)
        found = lookup(address.host, address.port, self._left(ends_at))
        for family, _, _, _, place in found[:-1]:
            with suppress(OSError):
                return _opened(family, place, max(0.001, step_ends_at - monotonic()) / 2)
        family, _, _, _, place = found[-1]
        return _opened(family, place, max(0.001, step_ends_at - monotonic()))

    def _encrypted(self, sock: socket.socket, address: Address, ends_at: float) -> ssl.SSLSocket:
        if self._tls is None:
            assert address.tls is not None  # noqa: S101  for mypy: the caller has looked
            try:
                self._tls = address.tls.context()
            except OSError as error:
                raise ssl.SSLError(f"the certificates can't be read: {error}") from error
        sock.settimeout(self._left(ends_at))
        return self._tls.wrap_socket(sock, server_hostname=address.host)

    def _introduce(self, connection: Connection, address: Address, ends_at: float) -> None:
        user = self._user(address)
        commands: list[Command] = [("AUTH", *user)] if user else []
        if address.database:
            commands.append(("SELECT", address.database))
        if not commands:
            return
        step_ends_at = monotonic() + self._left(ends_at)
        connection.send(pack(commands), step_ends_at)
        replies = connection.read(len(commands), step_ends_at)
        if user and isinstance(replies[0], ReplyError) and kind_of(replies[0]) == "protocol":
            raise AuthenticationError(str(replies[0]))
        for reply in replies:
            if isinstance(reply, ReplyError):
                raise reply

    def _user(self, address: Address) -> tuple[str, ...]:
        if self._credentials is not None:
            try:
                return self._credentials.get_credentials()
            except Exception as error:  # a provider's own errors are of any kind
                raise AuthenticationError(f"no credentials: {error}") from error
        if address.password is None:
            return ()
        return (address.username, address.password) if address.username else (address.password,)

    def _left(self, ends_at: float) -> float:
        """Return the seconds that a step may take, which are never none: that would mean not to block."""
        return max(0.001, min(self._timeout_s, ends_at - monotonic()))


def _opened(family: int, place: Any, timeout_s: float) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout_s)
        if family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.connect(place)
    except BaseException:
        sock.close()
        raise
    return sock
