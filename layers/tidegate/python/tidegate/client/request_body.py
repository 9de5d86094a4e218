"""Whether a request's body can be sent again, and rewinding it."""

from __future__ import annotations

from typing import Any

import httpx

# httpx has no public names for its streams' classes, so the extra `client` holds it below its next minor version.
from httpx._content import IteratorByteStream
from httpx._multipart import MultipartStream


class RequestBody:
    """The body of a request that is about to be sent for the first time.

    Bytes, lists of bytes, open files and forms of these can be sent again. A generator's items can't.

    Args:
        stream: the request's.
    """

    def __init__(self, stream: httpx.SyncByteStream | httpx.AsyncByteStream) -> None:
        self.stream = stream
        source: Any = stream._stream if isinstance(stream, IteratorByteStream) else None  # noqa: SLF001  no other way
        self._file: Any = source if hasattr(source, "read") else None
        self._begins_at = _position(self._file)
        self._is_kept = isinstance(stream, httpx.ByteStream) or isinstance(source, list | tuple)

    def rewind(self) -> bool:
        """Go back to the beginning; False: it can't be sent again."""
        if isinstance(self.stream, MultipartStream):  # it rewinds its files itself
            return all(_is_kept(getattr(field, "file", b"")) for field in self.stream.fields)
        if self._begins_at is None:
            return self._is_kept
        try:
            self._file.seek(self._begins_at)
        except (OSError, ValueError):  # closed meanwhile
            return False
        return True


def _is_kept(file: Any) -> bool:
    return isinstance(file, str | bytes) or _position(file) is not None


def _position(file: Any) -> int | None:
    try:
        return int(file.tell()) if file.seekable() else None
    except (AttributeError, OSError, ValueError):  # no file, or a closed one
        return None
