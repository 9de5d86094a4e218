"""A request's body, read ahead of its handler: fingerprinted as it comes, and given on as it came."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import IO

from starlette.types import Message, Receive

# What one request may hold in memory; the rest of its body waits in a temporary file.
HELD_IN_MEMORY_BYTES = 1024 * 1024
_REREAD_BYTES = 256 * 1024


class BodyTooLargeError(Exception):
    """The request's body is larger than the route reads."""


class Body:
    """A body's bytes: in memory up to `HELD_IN_MEMORY_BYTES`, beyond that in a temporary file.

    The file is written and read on the event loop: a piece goes to the page cache in less time than a thread takes
    to be woken.
    """

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._file: IO[bytes] | None = None
        self.size_bytes = 0

    def append(self, piece: bytes) -> None:
        """Keep the next piece."""
        self.size_bytes += len(piece)
        if self._file is None and self.size_bytes > HELD_IN_MEMORY_BYTES:
            self._file = _file_of(self._pieces)
            self._pieces = []
        if self._file is None:
            self._pieces.append(piece)
        else:
            self._file.write(piece)

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes once more, from the beginning; at least one piece, which may be empty."""
        if self._file is None:
            yield from self._pieces or [b""]
            return
        self._file.seek(0)
        while piece := self._file.read(_REREAD_BYTES):
            yield piece

    def close(self) -> None:
        """Delete the file, if there is one."""
        if self._file is not None:
            self._file.close()


async def read_body(receive: Receive, limit_bytes: int, seen: Callable[[bytes], None]) -> Body:
    """Read the whole request body, and show each piece to `seen` as it comes.

    Raises:
        BodyTooLargeError: it has more than `limit_bytes`.
        ConnectionError: the client went away before its end.
    """
    body, more = Body(), True
    try:
        while more:
            piece, more = await _piece(receive, limit_bytes - body.size_bytes)
            seen(piece)
            body.append(piece)
    except BaseException:
        body.close()
        raise
    return body


async def _piece(receive: Receive, most_bytes: int) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ConnectionError("the client went away while sending its request")
    piece = message.get("body", b"")
    if len(piece) > most_bytes:
        raise BodyTooLargeError
    return piece, message.get("more_body", False)


class Reread:
    """A `receive` that gives a body once more, and says nothing of the client until it was answered.

    A handler whose effect must be known runs to its end, whether or not its client still waits: the answer is kept
    for the retry. So it isn't told that the client left; what comes after the answer is the server's own.

    Args:
        body: what was read.
        receive: the server's.
        answered: whether what comes after the body is the server's own from the first.
    """

    def __init__(self, body: Body, receive: Receive, *, answered: bool = False) -> None:
        self._receive = receive
        self._pieces = body.pieces()
        self._next: bytes | None = next(self._pieces)
        self._answered = asyncio.Event()
        if answered:
            self._answered.set()

    def answered(self) -> None:
        """The client has its answer, or has gone without."""
        self._answered.set()

    async def __call__(self) -> Message:
        """Return the next message."""
        if self._next is not None:
            piece, self._next = self._next, next(self._pieces, None)
            return {"type": "http.request", "body": piece, "more_body": self._next is not None}
        await self._answered.wait()
        return await self._receive()


def _file_of(pieces: list[bytes]) -> IO[bytes]:
    from tempfile import TemporaryFile  # noqa: PLC0415  few requests need it, and it takes a while to import

    file = TemporaryFile(prefix="tidegate-body-")  # noqa: SIM115  closed by `Body.close`
    file.writelines(pieces)
    return file
