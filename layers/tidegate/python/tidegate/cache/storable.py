"""Whether a response may be kept, for how long, and whether others may have it. Source: RFC 9111, sections 3 and 4.

There are no heuristics: the route declares the lifetime, and the response may shorten it.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from tidegate.cache.directives import Directives
from tidegate.cache.key import keyed_alone
from tidegate.cache.lifetime import lifetime
from tidegate.cache.policy import Cache
from tidegate.cache.target import in_target
from tidegate.cache_messages import Windows
from tidegate.web.problems import Headers
from tidegate.web.stored_response import StoredResponse

_FOUND = frozenset({200, 203, 301, 308})
_MISSING = frozenset({404, 410})
KEPT_STATUSES = _FOUND | _MISSING
# The whole responses that depend on the request's target alone: RFC 9110, 15.1 lets caches keep them by heuristics.
_COMMON = KEPT_STATUSES | {204, 300}
LARGEST_BYTES = 1024 * 1024


class Verdict(NamedTuple):
    """How a response may be used.

    Attributes:
        windows: for how long it is kept; None: it isn't.
        reason: why not, for `detail` of `Cache-Status`.
        common: whether the requests that joined its flight may have it, too.
        age_ms: its age when it came.
    """

    windows: Windows | None
    reason: str | None = None
    common: bool = True
    age_ms: int = 0


def verdict(cache: Cache, response: StoredResponse, *, private: bool, now_s: float | None = None) -> Verdict:
    """Judge a response of a cached route.

    Args:
        cache: the route's policy.
        response: the response.
        private: whether the copy would be for its caller alone.
        now_s: when it came, in seconds since the epoch; now if None.
    """
    reason = unsharable(response.headers, private=private, vary=cache.vary)
    if reason is not None:
        return Verdict(None, reason, common=False)
    windows = cache.found if response.status in _FOUND else cache.missing if response.status in _MISSING else None
    if windows is None:
        return Verdict(None, f"status-{response.status}", common=False)
    declared = lifetime(response.headers, time.time() if now_s is None else now_s, private=private)
    left = declared.within(windows)
    if left.fresh_ms <= 0:
        lifetime_ms = windows.fresh_ms if declared.fresh_ms is None else declared.fresh_ms
        return Verdict(None, "age" if lifetime_ms > 0 else declared.said_by, common=False)
    if response.body is not None and len(response.body) > LARGEST_BYTES:
        return Verdict(None, "too-large", age_ms=declared.age_ms)
    return Verdict(left, age_ms=declared.age_ms)


def verdict_for_those_at_once(response: StoredResponse) -> Verdict:
    """Judge a response of a route that only joins concurrent requests: it is common if a cache could keep it."""
    reason = unsharable(response.headers, private=True, vary=None)
    if reason is None and response.status not in _COMMON:
        reason = f"status-{response.status}"
    if reason is None:
        declared = lifetime(response.headers, time.time(), private=True)
        reason = declared.said_by if declared.fresh_ms is not None and declared.fresh_ms <= declared.age_ms else None
    return Verdict(None, reason, common=reason is None)


def unsharable(headers: Headers, *, private: bool, vary: tuple[str, ...] | None) -> str | None:
    """Return why a response is for its request alone; None if others of the same key may have it.

    `private="…"` and `no-cache="…"` count as without field names, which RFC 9111, 5.2.2 permits.

    Args:
        headers: the response's.
        private: whether only its caller has the key.
        vary: the request's fields that are part of the key; None: those that `keyed_alone` has.
    """
    if any(name.lower() == b"set-cookie" for name, _ in headers):
        return "set-cookie"
    directives = Directives(headers)
    forbidden = ["no-store", "no-cache"] if private else ["no-store", "no-cache", "private"]
    for word in forbidden:
        if word in directives:
            return word
    asked = varied(headers)
    if vary is None:
        return "vary" if any(name == "*" or not keyed_alone(name.encode("latin-1")) for name in asked) else None
    known = {*vary, *(("authorization", "cookie") if private else ())}
    return None if all(name in known or in_target(name.encode("latin-1")) for name in asked) else "vary"


def varied(headers: Headers) -> set[str]:
    """Return the names in a response's Vary, in lower case."""
    lines = (value.decode("latin-1") for name, value in headers if name.lower() == b"vary")
    return {name.strip().lower() for text in lines for name in text.split(",") if name.strip()}
