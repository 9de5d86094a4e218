"""A payload's fingerprint, computed while its body comes in, piece by piece.

Two requests with one key must carry the same payload: the same path, query, content type and body, byte for byte.
JSON is bytes, too: `{"a":1}` and `{ "a": 1 }` differ, as they do in what a client signs or a proxy caches. Of a
multipart body (RFC 2046, section 5.1) the boundary is left out, in the body and in the content type: clients draw
a new one for every attempt, and it says nothing of the payload.
"""

from __future__ import annotations

import hashlib
import re
from typing import Protocol

from tidegate.identity import Scope, header

# Compiled when it is needed: a cold start waits for each pattern.
_BOUNDARY = r'(;\s*boundary=)(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))'


class Fingerprint:
    """The fingerprint of one request.

    Args:
        scope: the request's, for everything but its body.
    """

    def __init__(self, scope: Scope) -> None:
        content_type = header(scope, b"content-type") or ""
        boundary, content_type = _without_boundary(content_type)
        self._body: _Digest = hashlib.sha256() if boundary is None else _MultipartDigest(boundary)
        self._rest = (scope["path"].encode(), scope.get("query_string", b""), content_type.encode())

    def update(self, piece: bytes) -> None:
        """Take the next piece of the body."""
        self._body.update(piece)

    def hexdigest(self) -> str:
        """Return 32 hexadecimal digits, when the body has come to its end."""
        for part in self._rest:
            self._body.update(b"\x00" + part)
        return self._body.hexdigest()[:32]


class _Digest(Protocol):
    def update(self, piece: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...


class _MultipartDigest:
    """A digest over the digests of what lies between the delimiters, so that no content can pass for a delimiter."""

    def __init__(self, boundary: str) -> None:
        self._delimiter = b"\r\n--" + boundary.encode("latin-1")
        self._whole = hashlib.sha256()
        self._part = hashlib.sha256()
        self._held_back = b"\r\n"  # the first delimiter begins the body, without a line's end before it

    def update(self, piece: bytes) -> None:
        *ended, rest = (self._held_back + piece).split(self._delimiter)
        for end in ended:
            self._part.update(end)
            self._whole.update(self._part.digest())
            self._part = hashlib.sha256()
        # A delimiter may go on in the next piece; none can begin within another one.
        certain = max(0, len(rest) - len(self._delimiter) + 1)
        self._part.update(rest[:certain])
        self._held_back = rest[certain:]

    def hexdigest(self) -> str:
        self._part.update(self._held_back)
        self._whole.update(self._part.digest())
        return self._whole.hexdigest()


def _without_boundary(content_type: str) -> tuple[str | None, str]:
    """Return a multipart type's boundary, and the type without it."""
    multipart = content_type.strip().lower().startswith("multipart/")
    found = re.search(_BOUNDARY, content_type, re.IGNORECASE) if multipart else None
    if found is None:
        return None, content_type
    boundary = found[3] if found[2] is None else re.sub(r"\\(.)", r"\1", found[2])
    return boundary, content_type[: found.start()] + found[1] + content_type[found.end() :]
