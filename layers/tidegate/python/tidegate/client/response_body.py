"""A response's body: it is read whole, given up after a short read, or bounded while the application reads it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import cast

import anyio
import httpx

from tidegate.client.shrinking import End

# A response that isn't used is read to its end if it is short, so that its connection can be reused: a storm of new
# connections costs a server more than the requests on them.
_SHORT_BYTES = 64 * 1024
_SHORT_S = 0.25
# Time for httpcore to raise its own timeout, which names the phase, before it is cancelled.
GRACE_S = 0.01


class BrokenOffBody(httpx.SyncByteStream, httpx.AsyncByteStream):
    """The read part of a body that was given up; reading on raises an error.

    Args:
        read: its beginning.
    """

    def __init__(self, read: bytes) -> None:
        self._read = read

    def __iter__(self) -> Iterator[bytes]:
        yield self._read
        raise self._fault()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._read
        raise self._fault()

    def _fault(self) -> httpx.ReadError:
        return httpx.ReadError(f"The answer's body was given up after {len(self._read)} bytes, to ask again")


class BoundedBody(httpx.SyncByteStream):
    """A body that can be read until an end.

    Args:
        stream: the body.
        end: the end.
    """

    def __init__(self, stream: httpx.SyncByteStream, end: End) -> None:
        self._stream, self._end = stream, end

    def __iter__(self) -> Iterator[bytes]:
        chunks = iter(self._stream)
        while (chunk := self._next(chunks)) is not None:
            yield chunk

    def _next(self, chunks: Iterator[bytes]) -> bytes | None:
        if self._end.left_s > 0:
            return next(chunks, None)
        self.close()
        raise _too_late()

    def close(self) -> None:
        """Close the body."""
        self._stream.close()


class AsyncBoundedBody(httpx.AsyncByteStream):
    """The same for async: a read under way at the end is cancelled.

    Args:
        stream: the body.
        end: the end.
    """

    def __init__(self, stream: httpx.AsyncByteStream, end: End) -> None:
        self._stream, self._end = stream, end

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks = aiter(self._stream)
        while (chunk := await self._next(chunks)) is not None:
            yield chunk

    async def _next(self, chunks: AsyncIterator[bytes]) -> bytes | None:
        left_s = self._end.left_s
        if left_s > 0:
            with anyio.move_on_after(left_s + GRACE_S):
                return await anext(chunks, None)
        await self.aclose()
        raise _too_late()

    async def aclose(self) -> None:
        """Close the body, even if the task is cancelled."""
        with anyio.CancelScope(shield=True):
            await self._stream.aclose()


def bound_body(response: httpx.Response, end: End) -> None:
    """Bound a response that the application reads itself."""
    if _is_unread(response):
        response.stream = BoundedBody(_sync(response), end)


def abound_body(response: httpx.Response, end: End) -> None:
    """The same for async."""
    if _is_unread(response):
        response.stream = AsyncBoundedBody(_async(response), end)


def read_whole(response: httpx.Response, end: End) -> None:
    """Read a response's whole body, without decoding it, so that its connection is free."""
    if _is_unread(response):
        with contextlib.closing(body := BoundedBody(_sync(response), end)):
            response.stream = httpx.ByteStream(b"".join(body))


async def aread_whole(response: httpx.Response, end: End) -> None:
    """The same for async."""
    if _is_unread(response):
        async with contextlib.aclosing(body := AsyncBoundedBody(_async(response), end)):
            response.stream = httpx.ByteStream(b"".join([chunk async for chunk in body]))


def give_up(response: httpx.Response, end: End) -> None:
    """Read a response's body if it is short and comes soon, and close it; the read part is kept."""
    if not _is_unread(response):
        return
    end.within(_SHORT_S)
    read = bytearray()
    with contextlib.closing(body := BoundedBody(_sync(response), end)):
        try:
            for chunk in body:
                read += chunk
                if len(read) > _SHORT_BYTES:
                    break
            else:
                response.stream = httpx.ByteStream(bytes(read))
                return
        except httpx.TransportError:  # the body isn't needed, so it may break off
            pass
        response.stream = BrokenOffBody(bytes(read))


async def agive_up(response: httpx.Response, end: End) -> None:
    """The same for async."""
    if not _is_unread(response):
        return
    end.within(_SHORT_S)
    read = bytearray()
    async with contextlib.aclosing(body := AsyncBoundedBody(_async(response), end)):
        try:
            async for chunk in body:
                read += chunk
                if len(read) > _SHORT_BYTES:
                    break
            else:
                response.stream = httpx.ByteStream(bytes(read))
                return
        except httpx.TransportError:  # as above
            pass
        response.stream = BrokenOffBody(bytes(read))


def _is_unread(response: httpx.Response) -> bool:
    """Whether the body is still to be received; a mock's, or one that was read, is in memory."""
    return not response.is_closed and not isinstance(response.stream, httpx.ByteStream)


def _sync(response: httpx.Response) -> httpx.SyncByteStream:
    return cast("httpx.SyncByteStream", response.stream)


def _async(response: httpx.Response) -> httpx.AsyncByteStream:
    return cast("httpx.AsyncByteStream", response.stream)


def _too_late() -> httpx.ReadTimeout:
    return httpx.ReadTimeout("The deadline was over before the end of the answer's body")
