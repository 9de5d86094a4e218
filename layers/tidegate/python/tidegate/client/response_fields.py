"""A response's fields about the server's limits: the RateLimit fields (draft-ietf-httpapi-ratelimit-headers-11).


    RateLimit-Policy: "burst";q=100;w=60
    RateLimit: "burst";r=0;t=30

No more than `r` units may be used within the next `t` seconds. A client ignores invalid fields.

`Retry-After` (RFC 9110, section 10.2.3) is the time for which to send no request.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, TypeGuard

import http_sf

from tidegate.limits.fields import REMAINING, RESET, UNIT

REQUESTS = "requests"


class Left(NamedTuple):
    """The rest of one quota.

    Attributes:
        name: the policy's.
        remaining: units.
        reset_s: seconds within which no more may be used; None: the response has none.
        in_requests: whether a request is one unit; if not, a client knows only whether any unit is left.
    """

    name: str
    remaining: int
    reset_s: int | None
    in_requests: bool


def quotas_left(limit: str | None, policy: str | None) -> tuple[Left, ...]:
    """Read `RateLimit`, with the units that `RateLimit-Policy` declares.

    Args:
        limit: the `RateLimit` field.
        policy: the `RateLimit-Policy` field.
    """
    units = {name: parameters.get(UNIT, REQUESTS) for name, parameters in _items(policy)}
    left = []
    for name, parameters in _items(limit):
        remaining, reset_s = parameters.get(REMAINING), parameters.get(RESET)
        if _counts(remaining) and (reset_s is None or _counts(reset_s)):
            told_s = None if reset_s is None else min(reset_s, int(LONGEST_S))
            left.append(Left(name, remaining, told_s, units.get(name, REQUESTS) == REQUESTS))
    return tuple(left)


def _items(field: str | None) -> list[tuple[str, dict[str, Any]]]:
    """Return a List's Strings and their parameters."""
    if not field:
        return []
    try:
        parsed: Any = http_sf.parse(field.encode("latin-1"), tltype="list")
    except Exception:  # noqa: BLE001  an invalid field is ignored, whatever the parser raises
        return []
    # http_sf's Token is no str, and an inner list's value is a list.
    return [(value, parameters) for value, parameters in parsed if isinstance(value, str)]


def _counts(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


# A day: a longer time is a mistake, and must not silence a client for ever.
LONGEST_S = 86_400.0

_SECONDS = re.compile(r"[0-9]+", re.ASCII)


def retry_after_s(text: str | None, date: str | None, now_us: int) -> float | None:
    """Read the field: whole seconds, or a date.

    A date is relative to the response's own `Date`, so that the client's clock doesn't matter.

    Args:
        text: the field.
        date: the response's `Date`, if there is one.
        now_us: the client's time in epoch microseconds, used if there is no `Date`.

    Returns:
        Seconds from 0 to a day; None if the field is missing or invalid.
    """
    if text is None:
        return None
    text = text.strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), LONGEST_S)
    until, since = _epoch_s(text), _epoch_s(date)
    if until is None:
        return None
    return min(max(0.0, until - (now_us / 1_000_000 if since is None else since)), LONGEST_S)


def _epoch_s(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        read = parsedate_to_datetime(text)
        # All HTTP dates are in GMT, also those without a zone.
        aware = read if read.tzinfo else datetime.combine(read.date(), read.time(), UTC)
        return aware.timestamp()
    except Exception:  # noqa: BLE001  the standard library's parser doesn't document its exceptions
        return None
