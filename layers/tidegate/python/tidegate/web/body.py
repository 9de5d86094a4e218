"""A body that is held: a request's, read before its handler runs, and a response's, recorded before it is sent.

A request's is fingerprinted as it arrives, and given to the handler later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import IO

from starlette.types import Message, Receive

# A larger body goes to a temporary file.
HELD_IN_MEMORY_BYTES = 1024 * 1024
_REREAD_BYTES = 256 * 1024
# A slice of this size takes a few milliseconds to fingerprint, whatever its content.
_SHOWN_AT_ONCE_BYTES = 256 * 1024


class BodyTooLargeError(Exception):
    """The request's body is larger than its route permits."""


class Body:
    """A body's bytes: in memory up to a size, beyond that in a temporary file.

    The file is written and read on the event loop, since a piece reaches the page cache in less time than it takes to
    wake a thread.

    Args:
        held_bytes: that size.
    """

    def __init__(self, held_bytes: int) -> None:
        self._held_bytes = held_bytes
        self._held = bytearray()  # a list of pieces takes forty times as much if each has one byte
        self._file: IO[bytes] | None = None
        self.size_bytes = 0

    def append(self, piece: bytes) -> None:
        """Keep the next piece."""
        self.size_bytes += len(piece)
        if self._file is None and self.size_bytes > self._held_bytes:
            self._file = _file_of(self._held)
            self._held = bytearray()
        if self._file is None:
            self._held += piece
        else:
            self._file.write(piece)

    def held(self) -> bytes | None:
        """Return all of it; None if it lies in a file."""
        return bytes(self._held) if self._file is None else None

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes once more, from the beginning; at least one piece, which may be empty."""
        if self._file is None:
            yield bytes(self._held)
            return
        self._file.seek(0)
        while piece := self._file.read(_REREAD_BYTES):
            yield piece

    def close(self) -> None:
        """Forget the bytes, and delete the file, if there is one."""
        self._held = bytearray()
        if self._file is not None:
            self._file.close()


async def read_body(receive: Receive, limit_bytes: int, seen: Callable[[bytes], None]) -> Body:
    """Read the whole request body, and pass each piece to `seen` as it arrives.

    Raises:
        BodyTooLargeError: it has more than `limit_bytes`.
        ConnectionError: the client disconnected before its end.
    """
    body, more = Body(HELD_IN_MEMORY_BYTES), True
    try:
        while more:
            piece, more = await _piece(receive, limit_bytes - body.size_bytes)
            await _show(piece, seen)
            body.append(piece)
    except BaseException:
        body.close()
        raise
    return body


async def _show(piece: bytes, seen: Callable[[bytes], None]) -> None:
    """Pass a piece to `seen`; a long one in slices, between which other tasks run."""
    if len(piece) <= _SHOWN_AT_ONCE_BYTES:
        seen(piece)
        return
    view = memoryview(piece)
    for at in range(0, len(piece), _SHOWN_AT_ONCE_BYTES):
        seen(bytes(view[at : at + _SHOWN_AT_ONCE_BYTES]))
        await asyncio.sleep(0)


async def _piece(receive: Receive, most_bytes: int) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ConnectionError("the client went away while sending its request")
    piece = message.get("body", b"")
    if len(piece) > most_bytes:
        raise BodyTooLargeError
    return piece, message.get("more_body", False)


class Reread:
    """A `receive` that gives a body again, and hides a disconnection of the client until the response is sent.

    An idempotent run must go on to its end even if its client has gone, because its response is kept for the retry. So
    the handler doesn't learn of the disconnection. After the response, messages come from the server again.

    Args:
        body: the body that was read.
        receive: the server's.
        answered: whether messages after the body come from the server at once.
    """

    def __init__(self, body: Body, receive: Receive, *, answered: bool = False) -> None:
        self._receive = receive
        self._pieces = body.pieces()
        self._next: bytes | None = next(self._pieces)
        self._answered = asyncio.Event()
        if answered:
            self._answered.set()

    def answered(self) -> None:
        """Note that the response is sent, or that the client has gone."""
        self._answered.set()

    async def __call__(self) -> Message:
        """Return the next message."""
        if self._next is not None:
            piece, self._next = self._next, next(self._pieces, None)
            return {"type": "http.request", "body": piece, "more_body": self._next is not None}
        await self._answered.wait()
        return await self._receive()


def _file_of(held: bytearray) -> IO[bytes]:
    from tempfile import TemporaryFile  # noqa: PLC0415  few requests need it, and it takes a while to import

    file = TemporaryFile(prefix="tidegate-body-")  # noqa: SIM115  closed by `Body.close`
    file.write(held)
    return file
