"""The fields of a cached route's responses: Cache-Status (RFC 9211), Cache-Control and Age (RFC 9111, RFC 5861)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal, NamedTuple

import http_sf
from http_sf import Token

from tidegate.cache.lifetime import own_age_s
from tidegate.cache.policy import Cache
from tidegate.cache.storable import varied
from tidegate.cache_messages import Windows
from tidegate.web.problems import Headers

STATUS_FIELD = b"cache-status"
CONTROL_FIELD = b"cache-control"
AGE_FIELD = b"age"
NAME = "tidegate"
_OF_ONE_CONNECTION = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"transfer-encoding",
        b"upgrade",
    }
)

# Why a request reached the handler: no copy, one that is stale or renewed early, or a request that bypasses the cache.
Forward = Literal["uri-miss", "stale", "bypass"]


class CacheStatus(NamedTuple):
    """How a response came about, in the terms of RFC 9211.

    Attributes:
        hit: whether it is a copy that was given without running the handler.
        fwd: why the handler ran, or would have run.
        fwd_status: the status of the handler's response, which may differ from the client's.
        ttl: seconds of freshness left; negative: the seconds since it became stale.
        stored: whether it was kept.
        collapsed: whether it is the response to another request for the same thing.
        detail: one more word on the reason.
    """

    hit: bool = False
    fwd: Forward | None = None
    fwd_status: int | None = None
    ttl: int | None = None
    stored: bool = False
    collapsed: bool = False
    detail: str | None = None

    def field(self) -> bytes:
        """Return the field's value."""
        return _written(self)


@lru_cache(maxsize=4096)
def _written(status: CacheStatus) -> bytes:
    parameters: dict[str, Any] = {
        "hit": status.hit or None,
        "fwd": None if status.fwd is None else Token(status.fwd),
        "fwd-status": status.fwd_status,
        "ttl": status.ttl,
        "stored": status.stored or None,
        "collapsed": status.collapsed or None,
        "detail": None if status.detail is None else Token(status.detail),
    }
    items: list[Any] = [(Token(NAME), {name: value for name, value in parameters.items() if value is not None})]
    return http_sf.ser(items).encode()


def cache_control(windows: Windows | None, *, private: bool) -> bytes:
    """Return Cache-Control for clients and caches on the way; they mustn't keep a response that isn't kept here."""
    if windows is None:
        return b"no-store"
    return _control(windows, private)


@lru_cache(maxsize=1024)
def _control(windows: Windows, private: bool) -> bytes:  # noqa: FBT001  lru_cache's keys are cheapest by position
    directives = ["private"] if private else []
    directives.append(f"max-age={windows.fresh_ms // 1000}")
    if windows.stale_ms >= 1000:
        directives.append(f"stale-while-revalidate={windows.stale_ms // 1000}")
    if windows.error_ms >= 1000:
        directives.append(f"stale-if-error={windows.error_ms // 1000}")
    return ", ".join(directives).encode()


def completed(headers: Headers, cache: Cache, windows: Windows | None, *, private: bool, age_ms: int = 0) -> Headers:
    """Return a response's header fields, completed by Cache-Control and Vary as its route needs them; a copy keeps
    them.

    Args:
        headers: the response's.
        cache: the route's policy.
        windows: for how long it is kept; None: it isn't.
        private: whether the copy is for its caller alone.
        age_ms: the age of the response when it came.
    """
    if windows is not None:
        headers = _aged(_end_to_end(headers), age_ms // 1000)
        windows = windows._replace(fresh_ms=windows.fresh_ms + age_ms)
    names = {name.lower() for name, _ in headers}
    more: list[tuple[bytes, bytes]] = []
    if CONTROL_FIELD not in names:
        more.append((CONTROL_FIELD, cache_control(windows, private=private)))
    listed = varied(headers)
    missing = [name for name in cache.vary if name not in listed]
    if missing:
        more.append((b"vary", ", ".join(missing).encode("latin-1")))
    return (*headers, *more)


def of_copy(headers: Headers, age_ms: int) -> Headers:
    """Return a copy's header fields, with its Age in whole seconds: the Age that it came with, plus `age_ms`."""
    seconds = own_age_s(headers) + max(0, age_ms) // 1000
    return (*(field for field in headers if field[0].lower() != AGE_FIELD), (AGE_FIELD, str(seconds).encode()))


def age_of(headers: Headers) -> Headers:
    """Return the Age field of a response, for the 304 that replaces it."""
    return tuple(field for field in headers if field[0].lower() == AGE_FIELD)


def _aged(headers: Headers, age_s: int) -> Headers:
    others = tuple(field for field in headers if field[0].lower() != AGE_FIELD)
    return (*others, (AGE_FIELD, str(age_s).encode())) if age_s else others


def _end_to_end(headers: Headers) -> Headers:
    """Leave out hop-by-hop fields (RFC 9111, 3.1; RFC 9110, 7.6.1)."""
    named = {
        name.strip().lower() for field, value in headers if field.lower() == b"connection" for name in value.split(b",")
    }
    return tuple(
        field for field in headers if field[0].lower() not in _OF_ONE_CONNECTION and field[0].lower() not in named
    )
