"""The RateLimit fields (draft-ietf-httpapi-ratelimit-headers-11), and the 429 of a limit that refuses.

The names of the draft may still change, so each is written here once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from tidegate.decision import NEVER, LimitState, Rule
from tidegate.limits.limit import Limit
from tidegate.web.problems import LONGEST_WAIT_S, QUOTA_EXCEEDED, Headers, Problem, retry_after_s
from tidegate.web.structured_fields import Parameters, listed

POLICY_FIELD = b"ratelimit-policy"
LIMIT_FIELD = b"ratelimit"
QUOTA, WINDOW, UNIT, REMAINING, RESET = "q", "w", "qu", "r", "t"
CONCURRENT = "concurrent-requests"

COST_EXCEEDS_LIMIT = "urn:tidegate:problem:cost-exceeds-limit"


def rate_limit_fields(policy: bytes, limit: bytes) -> Headers:
    """Return the two fields of a response as ASGI header pairs.

    Args:
        policy: `RateLimit-Policy`, the same in every response of the route.
        limit: `RateLimit`, the units that are left now.
    """
    return ((POLICY_FIELD, policy), (LIMIT_FIELD, limit))


class LimitStatus(NamedTuple):
    """A limit, the rule that the store was asked to apply, and the state that the store returned."""

    limit: Limit
    rule: Rule
    state: LimitState


def limit_field(standings: Sequence[LimitStatus], retry_after: int | None, now_us: int) -> bytes:
    """Write `RateLimit`: the units that are left of each limit, and when they come back.

    Args:
        standings: the limits that bind, with their states.
        retry_after: the seconds of `Retry-After`, if it is sent: no window may end after it.
        now_us: epoch microseconds.
    """
    return ", ".join([_left(standing, _reset(standing, retry_after, now_us)) for standing in standings]).encode()


def _left(standing: LimitStatus, reset_s: int | None) -> str:
    item = f"{_named(standing.limit.label)};{REMAINING}={standing.state.remaining}"
    return item if reset_s is None else f"{item};{RESET}={reset_s}"


@lru_cache(maxsize=1024)
def _named(label: str) -> str:
    return listed([(label, {})]).decode()


def _reset(standing: LimitStatus, retry_after: int | None, now_us: int) -> int | None:
    """Seconds until the next unit comes back; until then no more than the remaining units may be used."""
    wait_us = standing.rule.next_unit_us(standing.state, now_us)
    if wait_us == 0:
        return None
    if standing.state.retry_after_us > 0:
        wait_us = standing.state.retry_after_us
    return min(-(-wait_us // 1_000_000), retry_after or LONGEST_WAIT_S)


@lru_cache(maxsize=1024)
def policy_field(limits: tuple[Limit, ...]) -> bytes:
    """Write `RateLimit-Policy`: each limit as a quota with its window, and slots as concurrent requests without one."""
    items: list[tuple[str, Parameters]] = []
    for limit in limits:
        if not limit.window_s:
            items.append((limit.label, {QUOTA: limit.quota, UNIT: CONCURRENT}))
        else:
            unit: Parameters = {} if limit.unit is None else {UNIT: limit.unit}
            items.append((limit.label, {QUOTA: limit.quota, WINDOW: limit.window_s, **unit}))
    return listed(items)


def quota_exceeded(standings: Sequence[LimitStatus]) -> tuple[Problem, int | None]:
    """Return the 429 for the limits that refuse, and the seconds after which the same request could pass.

    If its cost exceeds what a limit ever admits, the problem is a 422 with a type of its own, and the seconds are None.
    The request itself has to change then; after a 429 a client would wait and retry for ever.
    """
    refusing = [standing for standing in standings if not standing.state.allowed]
    never = [standing.limit.label for standing in refusing if standing.state.retry_after_us == NEVER]
    if never:
        detail = f"The request costs more than {', '.join(never)} ever allows at once; it can never pass as it is."
        violated = {"violated-policies": never}
        return Problem(422, COST_EXCEEDS_LIMIT, "Cost exceeds limit", detail, (), violated), None
    names = [standing.limit.label for standing in refusing]
    seconds = retry_after_s(max(passing_us(standing) for standing in refusing))
    detail = f"The limit {', '.join(names)} is used up; try again in {seconds} s."
    retry = ((b"retry-after", str(seconds).encode()),)
    return Problem(429, QUOTA_EXCEEDED, "Quota exceeded", detail, retry, {"violated-policies": names}), seconds


def passing_us(standing: LimitStatus) -> int:
    """Return microseconds to wait; for a slot at most a second, as most are free long before their leases end."""
    until_us = standing.state.retry_after_us
    return until_us if standing.limit.window_s else min(until_us, 1_000_000)
