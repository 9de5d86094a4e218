"""Whether an answer may be kept, and for how long. Source: RFC 9111, sections 3 and 4.2.1."""

from __future__ import annotations

from typing import NamedTuple

from tidegate.caching.cache import Cache, Windows
from tidegate.http import Headers
from tidegate.record import StoredResponse

_FOUND = frozenset({200, 203, 301, 308})
_MISSING = frozenset({404, 410})
LARGEST_BYTES = 1024 * 1024


class Verdict(NamedTuple):
    """What may be done with an answer.

    Attributes:
        windows: for how long it is kept; None: it isn't.
        reason: why not, as `Cache-Status` says it in `detail`.
        common: whether requests that ran into the same computation may have it, too.
    """

    windows: Windows | None
    reason: str | None = None
    common: bool = True


def verdict(cache: Cache, response: StoredResponse, *, private: bool) -> Verdict:
    """Judge an answer of a cached route.

    Args:
        cache: what the route asks for.
        response: the answer.
        private: whether the copy would be its caller's alone.
    """
    reason = unsharable(response.headers, private=private, vary=cache.vary)
    if reason is not None:
        return Verdict(None, reason, common=False)
    windows = cache.found if response.status in _FOUND else cache.missing if response.status in _MISSING else None
    if windows is None:
        return Verdict(None, f"status-{response.status}", common=response.status < 500)
    if response.body is not None and len(response.body) > LARGEST_BYTES:
        return Verdict(None, "too-large")
    said = directives(response.headers)
    lifetime_s = said.get("s-maxage", said.get("max-age"))
    if lifetime_s is not None:
        windows = windows.capped(int(lifetime_s) * 1000 if lifetime_s.isdigit() else 0)
    return Verdict(windows) if windows.fresh_ms > 0 else Verdict(None, "max-age")


def unsharable(headers: Headers, *, private: bool, vary: tuple[str, ...] | None) -> str | None:
    """Return why an answer is for nobody but who asked now; None if others of the same key may have it.

    Args:
        headers: the answer's.
        private: whether only its caller has the key.
        vary: the request's fields that are part of the key; None: all are.
    """
    if any(name.lower() == b"set-cookie" for name, _ in headers):
        return "set-cookie"
    said = directives(headers)
    forbidden = ["no-store", "no-cache"] if private else ["no-store", "no-cache", "private"]
    for word in forbidden:
        if word in said:
            return word
    asked = varied(headers)
    known = asked - {"*"} if vary is None else {*vary, *(("authorization", "cookie") if private else ())}
    return None if asked <= known else "vary"


def varied(headers: Headers) -> set[str]:
    """Return the request's fields that the answer depends on, in small letters."""
    return {name.strip().lower() for text in _values(headers, b"vary") for name in text.split(",") if name.strip()}


def directives(headers: Headers) -> dict[str, str]:
    """Return the answer's Cache-Control, in small letters; a directive without a value has an empty one."""
    found = {}
    for text in _values(headers, b"cache-control"):
        for part in text.split(","):
            name, _, value = part.strip().partition("=")
            if name:
                found[name.strip().lower()] = value.strip().strip('"')
    return found


def _values(headers: Headers, wanted: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in headers if name.lower() == wanted]
