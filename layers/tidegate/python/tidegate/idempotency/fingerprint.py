"""A payload's fingerprint, computed while its body comes in, piece by piece.

Two requests with one key must carry the same payload: the same host, path with what it is mounted below, query, content
type and body, byte for byte, and the same credentials, where the principal doesn't say who asks.
JSON is bytes, too: `{"a":1}` and `{ "a": 1 }` differ, as they do in what a client signs or a proxy caches. Of a
multipart body (RFC 2046, section 5.1) the boundary is left out, in the body and in the content type: clients draw
a new one for every attempt, and it says nothing of the payload.
"""

from __future__ import annotations

import hashlib
import re
from typing import Protocol

from tidegate.identity.asked_host import asked_host
from tidegate.identity.caller import Scope, header
from tidegate.routing import path_of

# Compiled when it is needed: a cold start waits for each pattern.
_BOUNDARY = r'(;\s*boundary=)(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))'


# What stands for a delimiter. It begins with what is in no boundary, and with nothing that it ends with, so that two
# never overlap, nor does one a delimiter. Its length makes it dear to send many.
_MARK = b"\0tidegate-delimiter"
_LONGEST_BOUNDARY = 70  # RFC 2046, section 5.1.1; what is longer is none, and is hashed as it stands


class Fingerprint:
    """The fingerprint of one request.

    Args:
        scope: the request's, for everything but its body.
        credentials: the digest of what it was made under (see `credentials`); empty where its principal says that.
    """

    def __init__(self, scope: Scope, credentials: str = "") -> None:
        content_type = header(scope, b"content-type") or ""
        boundary, content_type = _without_boundary(content_type)
        self._body: _Digest = hashlib.sha256() if boundary is None else _MultipartDigest(boundary)
        self._rest: tuple[bytes, ...] = (
            # Below a mount the handler may read from its prefix whose it is, and another application may have its name.
            (str(scope.get("root_path", "")).rstrip("/") + path_of(scope)).encode("utf-8", "surrogatepass"),
            scope.get("query_string", b""),
            content_type.encode(),
        )
        if host := asked_host(scope["headers"]):  # the handler may read from it whose it is, a tenant's say
            self._rest += (b"host " + host.encode("latin-1"),)
        if credentials:
            self._rest += (credentials.encode(),)

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
    """A digest of the body with one mark for every delimiter, and another one for content that looks like a mark.

    So no content can pass for a delimiter, and a body of nothing but delimiters costs what any other does: it is
    searched and hashed as a whole, with nothing done for each of them.
    """

    def __init__(self, boundary: str) -> None:
        self._delimiter = b"\r\n--" + boundary.encode("latin-1")
        self._whole = hashlib.sha256()
        self._held_back = b"\r\n"  # the first delimiter begins the body, without a line's end before it
        self._longest = max(len(self._delimiter), len(_MARK))

    def update(self, piece: bytes) -> None:
        body = self._held_back + piece
        # A delimiter or a mark may go on in the next piece; none can begin within another one.
        certain = max(0, len(body) - self._longest + 1, self._end(body, self._delimiter), self._end(body, _MARK))
        self._take(body[:certain])
        self._held_back = body[certain:]

    def hexdigest(self) -> str:
        self._take(self._held_back)
        self._held_back = b""
        return self._whole.hexdigest()

    def _take(self, body: bytes) -> None:
        self._whole.update(body.replace(_MARK, _MARK + b"0").replace(self._delimiter, _MARK + b"1"))

    @staticmethod
    def _end(body: bytes, part: bytes) -> int:
        """Where the last one ends; 0 if there is none."""
        found = body.rfind(part)
        return 0 if found < 0 else found + len(part)


def _without_boundary(content_type: str) -> tuple[str | None, str]:
    """Return a multipart type's boundary, and the type without it."""
    multipart = content_type.strip().lower().startswith("multipart/")
    found = re.search(_BOUNDARY, content_type, re.IGNORECASE) if multipart else None
    if found is None:
        return None, content_type
    boundary = found[3] if found[2] is None else re.sub(r"\\(.)", r"\1", found[2])
    if not 0 < len(boundary) <= _LONGEST_BOUNDARY or not boundary.isprintable():
        return None, content_type
    return boundary, content_type[: found.start()] + found[1] + content_type[found.end() :]
