"""What an answer says is left of its quotas: the RateLimit fields (draft-ietf-httpapi-ratelimit-headers-11).

    RateLimit-Policy: "burst";q=100;w=60
    RateLimit: "burst";r=0;t=30

No more than `r` until `t` seconds from now. A client ignores what isn't valid.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeGuard

import http_sf

from tidegate.client.retry_after import LONGEST_S
from tidegate.http import REMAINING, RESET, UNIT

REQUESTS = "requests"


class Left(NamedTuple):
    """What is left of one quota.

    Attributes:
        name: the policy's.
        remaining: units.
        reset_s: seconds within which no more may be used; None: the answer doesn't say.
        in_requests: whether a request is one unit; else a client knows only whether there is anything left.
    """

    name: str
    remaining: int
    reset_s: int | None
    in_requests: bool


def quotas_left(limit: str | None, policy: str | None) -> tuple[Left, ...]:
    """Read `RateLimit`, with the units that `RateLimit-Policy` says.

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
    except ValueError:  # also what isn't Latin-1
        return []
    # http_sf's Token is no str, and an inner list's value is a list.
    return [(value, parameters) for value, parameters in parsed if isinstance(value, str)]


def _counts(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
