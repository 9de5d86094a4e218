"""ETag and If-None-Match: a client that has the answer already isn't sent it again. Source: RFC 9110, 8.8 and 13."""

from __future__ import annotations

import hashlib
import re

from tidegate.http import Headers
from tidegate.record import StoredResponse

# What a 304 repeats of the answer that it stands for (RFC 9110, 15.4.5).
_REPEATED = frozenset({b"cache-control", b"content-location", b"date", b"etag", b"expires", b"vary"})
_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')


def tagged(response: StoredResponse) -> StoredResponse:
    """Return a 200 with an ETag: its own, or a strong one made of its body."""
    if response.status != 200 or response.body is None or any(n.lower() == b"etag" for n, _ in response.headers):
        return response
    made = f'"{hashlib.blake2b(response.body, digest_size=12).hexdigest()}"'.encode()
    return response._replace(headers=(*response.headers, (b"etag", made)))


def answered(response: StoredResponse, if_none_match: str | None) -> StoredResponse:
    """Return the answer, or the 304 that stands for it if the client has it already."""
    if if_none_match is None or response.status != 200:
        return response
    etag = next((value.decode("latin-1") for name, value in response.headers if name.lower() == b"etag"), None)
    if etag is None or not _matches(if_none_match, etag):
        return response
    return StoredResponse(304, _repeated(response.headers), b"")


def _matches(if_none_match: str, etag: str) -> bool:
    """Compare weakly, as RFC 9110, 13.1.2 asks for."""
    if if_none_match.strip() == "*":
        return True
    return any(_opaque(tag) == _opaque(etag) for tag in _TAG.findall(if_none_match))


def _opaque(tag: str) -> str:
    return tag.removeprefix("W/")


def _repeated(headers: Headers) -> Headers:
    return tuple((name, value) for name, value in headers if name.lower() in _REPEATED)
