"""Opening a connection to Redis: the socket, TLS, AUTH and SELECT."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from tidegate.redis_driver.faults import AuthenticationError, ReplyError, kind_of
from tidegate.redis_driver.resolver import lookup
from tidegate.redis_driver.resp import Command, Connection, ProtocolError, pack
from tidegate.redis_driver.url import Address

if TYPE_CHECKING:
    from tidegate.bounded import Bounded


class Credentials(Protocol):
    """Provides a user's name and a password that expires, such as ElastiCache's IAM tokens."""

    def get_credentials(self) -> tuple[str, str]:
        """Return the user's name and a password that is valid now; called for each new connection."""


# The first token may take longer than a connection: a provider loads botocore for it, and fetches AWS credentials.
_FIRST_TOKEN_S = 1.0


class Dialer:
    """Makes connections to a server, or to the nodes of one cluster.

    Args:
        timeout_s: seconds for each step: the name, the socket, TLS, AUTH and SELECT.
        credentials: used in place of the address' user and password.
    """

    def __init__(self, timeout_s: float, credentials: Credentials | None = None) -> None:
        self._timeout_s = timeout_s
        self._credentials = credentials
        self._tls: ssl.SSLContext | None = None
        self._bounded = None if credentials is None else _threads()
        self._has_signed = False

    def prepare(self, address: Address) -> None:
        """Do what a first connection needs and no server has a part in, before that connection's deadline begins.

        The certificates are read, which takes tens of milliseconds of a cold start, and a first token is signed.

        Raises:
            OSError: the certificates can't be read.
            AuthenticationError: there is no token in time.
        """
        self._context(address)
        if self._credentials is not None and not self._has_signed:
            self._signed(_FIRST_TOKEN_S)

    def connect(self, address: Address, ends_at: float, *, patiently: bool = False) -> Connection:
        """Connect.

        Args:
            address: where to.
            ends_at: when to give up at the latest; seconds of the monotonic clock.
            patiently: whether a step may take all the time that is left, because no request waits for a decision.

        Raises:
            OSError: there is no connection in time, or no TLS.
            AuthenticationError: the server refuses the user or the password.
            ReplyError: the database can't be selected, or there are too many clients.
            ProtocolError: a reply is no RESP2, or belongs to no command.
        """
        step_s = inf if patiently else self._timeout_s
        user = self._user(address, _left(step_s, ends_at))
        try:
            sock = _socket(address, step_s, ends_at)
        except (ValueError, OverflowError) as error:  # a name or a port that no address has
            raise OSError(f"{address.host!r} is no address: {error}") from error
        try:
            if (context := self._context(address)) is not None:
                sock = _encrypted(sock, context, address.host, _left(step_s, ends_at))
            connection = Connection(sock)
            if address.tls is None:  # with TLS the bytes may be the protocol's own
                connection.hear_out(monotonic() + _left(step_s, ends_at))
            _introduce(connection, user, address.database, monotonic() + _left(step_s, ends_at))
        except BaseException:
            sock.close()
            raise
        return connection

    def _context(self, address: Address) -> ssl.SSLContext | None:
        if self._tls is None and address.tls is not None:
            try:
                self._tls = address.tls.context()
            except OSError as error:
                raise ssl.SSLError(f"the certificates can't be read: {error}") from error
        return self._tls

    def _user(self, address: Address, patience_s: float) -> tuple[str, ...]:
        if self._credentials is not None:
            return self._signed(patience_s)
        if address.password is None:
            return ()
        return (address.username, address.password) if address.username else (address.password,)

    def _signed(self, patience_s: float) -> tuple[str, str]:
        assert self._credentials is not None  # noqa: S101  for mypy: the callers have looked
        assert self._bounded is not None  # noqa: S101  as above
        try:
            user = self._bounded.run(self._credentials.get_credentials, patience_s)
        except Exception as error:  # a provider's own errors are of any kind
            raise AuthenticationError(f"no credentials: {error}") from error
        self._has_signed = True
        return user


def _socket(address: Address, step_s: float, ends_at: float) -> socket.socket:
    if address.path is not None:
        return _opened(socket.AF_UNIX, address.path, _left(step_s, ends_at))
    step_ends_at = monotonic() + _left(step_s, ends_at)
    found = lookup(address.host, address.port, _left(step_s, ends_at))
    for family, _, _, _, place in found[:-1]:
        with suppress(OSError):
            return _opened(family, place, max(0.001, step_ends_at - monotonic()) / 2)
    family, _, _, _, place = found[-1]
    return _opened(family, place, max(0.001, step_ends_at - monotonic()))


def _encrypted(sock: socket.socket, context: ssl.SSLContext, host: str, timeout_s: float) -> ssl.SSLSocket:
    sock.settimeout(timeout_s)
    try:
        return context.wrap_socket(sock, server_hostname=host)
    except ValueError as error:  # a name that no certificate has
        raise ssl.SSLError(str(error)) from error


def _introduce(connection: Connection, user: tuple[str, ...], database: int, ends_at: float) -> None:
    commands: list[Command] = [("AUTH", *user)] if user else []
    if database:
        commands.append(("SELECT", database))
    if not commands:
        return
    connection.send(pack(commands), ends_at)
    replies = connection.read(len(commands), ends_at)
    if user and isinstance(replies[0], ReplyError) and kind_of(replies[0]) in {"protocol", "unreadable"}:
        raise AuthenticationError(str(replies[0]))
    for reply in replies:
        if isinstance(reply, ReplyError):
            raise reply
        if reply != b"OK":
            raise ProtocolError("AUTH or SELECT was answered by something else")


def _left(step_s: float, ends_at: float) -> float:
    """Return the seconds that a step may take; never 0, which would make the socket non-blocking."""
    return max(0.001, min(step_s, ends_at - monotonic()))


def _threads() -> Bounded:
    from tidegate.bounded import Bounded  # noqa: PLC0415  only tokens need it

    return Bounded("tidegate-credentials", most=4)


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
