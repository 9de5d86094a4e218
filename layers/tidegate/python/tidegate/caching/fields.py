"""The fields of a cached route's answers: Cache-Status (RFC 9211), Cache-Control and Age (RFC 9111, RFC 5861)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal, NamedTuple

import http_sf
from http_sf import Token

from tidegate.caching.cache import Cache, Windows
from tidegate.caching.storable import varied
from tidegate.http import Headers

STATUS_FIELD = b"cache-status"
CONTROL_FIELD = b"cache-control"
NAME = "tidegate"

# Why a request went on to the handler: there was no copy, only one that is old or renewed early, or none is wanted.
Forward = Literal["uri-miss", "stale", "bypass"]


class CacheStatus(NamedTuple):
    """How an answer came about.

    Attributes:
        hit: whether it is a copy, and nobody was asked for it.
        fwd: why the handler was asked, or would have been.
        fwd_status: what the handler answered, where that isn't what the client gets.
        ttl: seconds of freshness left; negative: since when it is stale.
        stored: whether it was kept.
        collapsed: whether it is the answer to another request for the same thing.
        detail: more, in a word.
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
    told: dict[str, Any] = {
        "hit": status.hit or None,
        "fwd": None if status.fwd is None else Token(status.fwd),
        "fwd-status": status.fwd_status,
        "ttl": status.ttl,
        "stored": status.stored or None,
        "collapsed": status.collapsed or None,
        "detail": None if status.detail is None else Token(status.detail),
    }
    items: list[Any] = [(Token(NAME), {name: value for name, value in told.items() if value is not None})]
    return http_sf.ser(items).encode()


def cache_control(windows: Windows | None, *, private: bool) -> bytes:
    """Return what is said to clients and the caches between; a copy that isn't kept isn't to be kept there, either."""
    if windows is None:
        return b"no-store"
    return _control(windows, private)


@lru_cache(maxsize=1024)
def _control(windows: Windows, private: bool) -> bytes:  # noqa: FBT001  lru_cache's keys are cheapest by position
    told = ["private"] if private else []
    told.append(f"max-age={windows.fresh_ms // 1000}")
    if windows.stale_ms >= 1000:
        told.append(f"stale-while-revalidate={windows.stale_ms // 1000}")
    if windows.error_ms >= 1000:
        told.append(f"stale-if-error={windows.error_ms // 1000}")
    return ", ".join(told).encode()


def completed(headers: Headers, cache: Cache, windows: Windows | None, *, private: bool) -> Headers:
    """Return an answer's header fields with what every answer of the route says, which a copy keeps, too."""
    names = {name.lower() for name, _ in headers}
    more: list[tuple[bytes, bytes]] = []
    if CONTROL_FIELD not in names:
        more.append((CONTROL_FIELD, cache_control(windows, private=private)))
    unsaid = [name for name in cache.vary if name not in varied(headers)]
    if unsaid:
        more.append((b"vary", ", ".join(unsaid).encode("latin-1")))
    return (*headers, *more)


def age(age_ms: int) -> tuple[bytes, bytes]:
    """Return the Age of a copy, in whole seconds."""
    return (b"age", str(max(0, age_ms) // 1000).encode())
