"""One connection that speaks RESP, with an end to every wait.

hiredis packs commands and reads replies in C; the socket doesn't block, so that each wait is one poll with exactly
the time that is left, however the bytes trickle in.
Source: "Redis serialization protocol specification" (RESP2).
"""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

from tidegate.stores.redis_faults import ReplyError, reply_error

try:
    import hiredis
except ImportError as error:
    raise ImportError(
        f"Tidegate speaks to Redis through hiredis, which can't be imported here ({error}). Install it: pip install "
        "hiredis; where it has no wheel for the platform, that needs a C compiler and Python's headers."
    ) from error

Command = Sequence[str | bytes | int]
ProtocolError = hiredis.ProtocolError

_RECEIVED_AT_ONCE = 65_536
_PARTIAL = object()
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
# Its stub takes a tuple of one.
_pack: Callable[[tuple[str | bytes | int, ...]], bytes] = hiredis.pack_command  # type: ignore[assignment]
_CUT_OFF = (ssl.SSLEOFError, ssl.SSLZeroReturnError)


def pack(commands: Sequence[Command]) -> bytes:
    """Write commands as the server reads them."""
    if len(commands) == 1:
        return _pack(tuple(commands[0]))
    return b"".join([_pack(tuple(command)) for command in commands])


class Connection:
    """A connected socket.

    Args:
        sock: the socket, connected; it is closed with the connection.
    """

    __slots__ = ("_readable", "_reader", "_sock", "heard", "used_at")

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(0)
        self._sock = sock
        self._readable = select.poll()
        self._readable.register(sock, select.POLLIN)
        self._reader = hiredis.Reader(replyError=reply_error, notEnoughData=_PARTIAL)
        # Whether anything came back since the latest `send`.
        self.heard = False
        # When the connection came to rest; epoch seconds.
        self.used_at = 0.0

    def send(self, packed: bytes, ends_at: float) -> None:
        """Send what `pack` made.

        Args:
            packed: the bytes.
            ends_at: when to give up; seconds of the monotonic clock.

        Raises:
            TimeoutError: they didn't leave in time.
            ConnectionError: the connection is dead.
        """
        self.heard = False
        left: bytes | memoryview = packed
        while True:
            try:
                sent = self._sock.send(left)
            except _WOULD_BLOCK:
                sent = 0
            except _CUT_OFF as error:
                raise ConnectionResetError(str(error)) from error
            if sent == len(left):
                return
            left = memoryview(left)[sent:]
            self._wait_to_write(ends_at)

    def read(self, count: int, ends_at: float) -> list[Any]:
        """Return so many replies, the server's errors among them as values.

        Args:
            count: how many commands were sent.
            ends_at: when to give up on all of them; seconds of the monotonic clock.

        Raises:
            TimeoutError: they weren't there in time.
            ReplyError: the server said why before it hung up on us.
            ConnectionError: the connection is dead.
            ProtocolError: what came is no RESP.
        """
        gets = self._reader.gets
        replies: list[Any] = []
        try:
            while len(replies) < count:
                reply = gets()
                if reply is _PARTIAL:
                    self._reader.feed(self._receive(ends_at))
                else:
                    replies.append(reply)
        except ConnectionError as error:
            if replies and isinstance(replies[-1], ReplyError):
                raise replies[-1] from error
            raise
        return replies

    @property
    def quiet(self) -> bool:
        """Whether there is nothing to read: on an idle connection, whatever there is means that it ended."""
        return not self._readable.poll(0)

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()

    def _receive(self, ends_at: float) -> bytes:
        while True:
            if not self._readable.poll(max(0.0, ends_at - monotonic()) * 1000):
                raise TimeoutError("Redis didn't answer in time")
            try:
                received = self._sock.recv(_RECEIVED_AT_ONCE)
            except _WOULD_BLOCK:
                continue
            except _CUT_OFF as error:
                raise ConnectionResetError(str(error)) from error
            if not received:
                raise ConnectionResetError("Redis closed the connection")
            self.heard = True
            return received

    def _wait_to_write(self, ends_at: float) -> None:
        writable = select.poll()
        writable.register(self._sock, select.POLLOUT)
        if not writable.poll(max(0.0, ends_at - monotonic()) * 1000):
            raise TimeoutError("Redis didn't take what was sent in time")
