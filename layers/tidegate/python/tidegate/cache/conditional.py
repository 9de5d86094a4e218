"""ETag and conditional requests: a client that has the response already gets a 304.

The handler of a cached or joined route never sees a condition, because its response may be kept and given to others.
Each request's conditions are evaluated here, on the whole response, whether it is new, a copy or another request's.
Source: RFC 9110, 8.8, 13 and 15.4.5.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from tidegate.cache.dates import parse_date
from tidegate.web.problems import Headers, Problem, problem_headers
from tidegate.web.stored_response import StoredResponse

IF_MATCH, IF_NONE_MATCH = b"if-match", b"if-none-match"
IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE = b"if-modified-since", b"if-unmodified-since"
CONDITIONS = frozenset({IF_MATCH, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE, b"if-range"})

# The fields that a 304 repeats (RFC 9110, 15.4.5).
_REPEATED = frozenset({b"cache-control", b"content-location", b"date", b"etag", b"expires", b"vary"})
_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_FAILED = Problem(412, "about:blank", "Precondition Failed", "The answer isn't the one that the request is meant for.")


def tagged(response: StoredResponse) -> StoredResponse:
    """Return a 200 with an ETag: its own, or a strong one made of its body."""
    if response.status != 200 or response.body is None or any(n.lower() == b"etag" for n, _ in response.headers):
        return response
    made = f'"{hashlib.blake2b(response.body, digest_size=12).hexdigest()}"'.encode()
    return response._replace(headers=(*response.headers, (b"etag", made)))


def conditions_of(scope: Mapping[str, Any]) -> dict[bytes, list[str]]:
    """Return a request's conditions: the lines of each field."""
    found: dict[bytes, list[str]] = {}
    for name, value in scope["headers"]:
        if name in CONDITIONS:
            found.setdefault(name, []).append(value.decode("latin-1"))
    return found


def judged(response: StoredResponse, conditions: Mapping[bytes, list[str]]) -> StoredResponse:
    """Return the response, or the 304 or 412 that these conditions make of it, in RFC 9110's order (13.2.2)."""
    if not conditions or not 200 <= response.status < 300:
        return response
    matching = conditions.get(IF_MATCH)
    if matching is not None:
        failed = not _strongly_matches(", ".join(matching), _field(response, b"etag"))
    else:
        failed = _later(response, conditions.get(IF_UNMODIFIED_SINCE)) is True
    if failed:
        return StoredResponse(412, (*problem_headers(_FAILED), (b"cache-control", b"no-store")), _FAILED.body())
    lines = conditions.get(IF_NONE_MATCH)
    if lines is not None:
        return answered(response, ", ".join(lines))
    has_it = _later(response, conditions.get(IF_MODIFIED_SINCE)) is False
    return _not_modified(response) if has_it else response


def answered(response: StoredResponse, if_none_match: str | None) -> StoredResponse:
    """Return the response, or a 304 if an ETag says that the client has it already."""
    if if_none_match is None or not 200 <= response.status < 300:
        return response
    if if_none_match.strip() == "*":
        return _not_modified(response)
    etag = _field(response, b"etag")
    if etag is None or all(_opaque(tag) != _opaque(etag) for tag in _TAG.findall(if_none_match)):
        return response
    return _not_modified(response)


def _strongly_matches(if_match: str, etag: str | None) -> bool:
    if if_match.strip() == "*":
        return True
    return etag is not None and not etag.startswith("W/") and etag in _TAG.findall(if_match)


def _later(response: StoredResponse, lines: list[str] | None) -> bool | None:
    """Whether the response was modified after a date; None if either date is missing or malformed."""
    since_s = parse_date(lines[0]) if lines and len(lines) == 1 else None
    modified = _field(response, b"last-modified")
    modified_s = None if modified is None else parse_date(modified)
    return None if since_s is None or modified_s is None else modified_s > since_s


def _not_modified(response: StoredResponse) -> StoredResponse:
    # Without an ETag, a client identifies its copy by Last-Modified.
    repeated = _REPEATED if _field(response, b"etag") else _REPEATED | {b"last-modified"}
    headers: Headers = tuple((name, value) for name, value in response.headers if name.lower() in repeated)
    return StoredResponse(304, headers, b"")


def _opaque(tag: str) -> str:
    return tag.removeprefix("W/")


def _field(response: StoredResponse, wanted: bytes) -> str | None:
    return next((value.decode("latin-1") for name, value in response.headers if name.lower() == wanted), None)
