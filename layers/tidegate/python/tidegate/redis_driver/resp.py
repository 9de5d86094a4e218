"""One RESP connection, with an end to every wait.

hiredis packs commands and parses replies in C. The socket doesn't block: each wait is one poll with exactly the time
that is left, even if the bytes come one by one.
Source: "Redis serialization protocol specification" (RESP2).
"""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

from tidegate.redis_driver.faults import NoScriptError, ReplyError, reply_error

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
PARTIAL = object()
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
# Its stub takes a tuple of one.
_pack: Callable[[tuple[str | bytes | int, ...]], bytes] = hiredis.pack_command  # type: ignore[assignment]
_CUT_OFF = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
# The types of RESP2. The parser's others (pushes, maps, booleans, doubles) are RESP3's, which is never asked for.
_RESP2 = frozenset({bytes, int, list, type(None), ReplyError, NoScriptError})


def pack(commands: Sequence[Command]) -> bytes:
    """Return commands in the wire format."""
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
        self._reader = hiredis.Reader(replyError=reply_error, notEnoughData=PARTIAL)
        # Whether anything came back since the latest `send`.
        self.heard = False
        # When the connection came to rest; epoch seconds.
        self.used_at = 0.0

    def send(self, packed: bytes, ends_at: float) -> None:
        """Send packed commands.

        Args:
            packed: the bytes, from `pack`.
            ends_at: when to give up; seconds of the monotonic clock.

        Raises:
            TimeoutError: they couldn't be sent in time.
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
        """Return so many replies. Error replies are among them, as values.

        A connection with more replies than commands is broken: from then on each reply would be taken for the next
        command's, and each caller would get another caller's answer.

        Args:
            count: how many commands were sent.
            ends_at: when to give up on all of them; seconds of the monotonic clock.

        Raises:
            TimeoutError: the replies weren't complete in time.
            ReplyError: the server replied with an error and closed the connection.
            ConnectionError: the connection is dead.
            ProtocolError: a reply is no RESP2, or there are too many.
        """
        replies: list[Any] = []
        try:
            while len(replies) < count:
                reply = self.next_reply()
                if reply is PARTIAL:
                    self._reader.feed(self._receive(ends_at))
                else:
                    replies.append(reply)
        except ConnectionError as error:
            if replies and isinstance(replies[-1], ReplyError):
                raise replies[-1] from error
            raise
        if self._reader.has_data():
            raise ProtocolError("more replies came than commands were sent")
        return replies

    def next_reply(self) -> Any:
        """Return the next reply that came whole; `PARTIAL` if there is none.

        Raises:
            ProtocolError: it is no RESP2.
        """
        reply = self._reader.gets()
        if reply is not PARTIAL and type(reply) not in _RESP2:
            raise ProtocolError(f"a reply of a kind that RESP2 hasn't: {type(reply).__name__}")
        return reply

    def feed_arrived(self) -> None:
        """Take what has arrived, without waiting.

        Raises:
            ConnectionError: the connection is dead.
        """
        while (received := self._arrived()) is not None:
            self._reader.feed(received)
            # TLS may hold back what has arrived; of a plain socket less than was asked for is all there is.
            if len(received) < _RECEIVED_AT_ONCE and not isinstance(self._sock, ssl.SSLSocket):
                return

    def send_some(self, packed: bytes) -> bytes:
        """Send what the socket takes at once; return the rest.

        Raises:
            OSError: the connection is dead.
        """
        try:
            return packed[self._sock.send(packed) :]
        except _WOULD_BLOCK:
            return packed
        except _CUT_OFF as error:
            raise ConnectionResetError(str(error)) from error

    def fileno(self) -> int:
        """Return the socket's descriptor, for an event loop."""
        return self._sock.fileno()

    @property
    def quiet(self) -> bool:
        """Whether there is nothing to read. An idle connection that isn't quiet can't be used again."""
        return not self._readable.poll(0)

    @property
    def ended(self) -> bool:
        """Whether an idle connection that isn't quiet was closed, as servers do after a while.

        Raises:
            ProtocolError: there is a reply that belongs to no command.
        """
        try:
            received = self._sock.recv(1)
        except _WOULD_BLOCK:  # TLS' own messages, such as a session's tickets
            return False
        except OSError:
            return True
        if received:
            raise ProtocolError("a reply came to what nobody had asked")
        return True

    def hear_out(self, ends_at: float) -> None:
        """Read what a server sends on a new connection before any command: Redis does that only to refuse it.

        Raises:
            ReplyError: the refusal.
            ProtocolError: it sent something else, which would be taken for the reply to the first command.
        """
        if self.quiet:
            return
        reply = self.read(1, ends_at)[0]
        raise reply if isinstance(reply, ReplyError) else ProtocolError("the server spoke before it was asked")

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()

    def _receive(self, ends_at: float) -> bytes:
        while True:
            if not self._readable.poll(max(0.0, ends_at - monotonic()) * 1000):
                raise TimeoutError("Redis didn't answer in time")
            received = self._arrived()
            if received is not None:
                return received

    def _arrived(self) -> bytes | None:
        """Return what the socket has; None if that is nothing yet."""
        try:
            received = self._sock.recv(_RECEIVED_AT_ONCE)
        except _WOULD_BLOCK:
            return None
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
