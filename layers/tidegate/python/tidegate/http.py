"""What goes over HTTP: problem details, RateLimit fields, Retry-After.

The RateLimit fields are draft-ietf-httpapi-ratelimit-headers-11; names that the draft still moves stand here
once each. Problem details are RFC 9457, structured fields RFC 9651.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from tidegate.algorithms.decision import NEVER, LimitState, Rule
from tidegate.limits.limit import Limit
from tidegate.structured import Parameters, listed

Headers = tuple[tuple[bytes, bytes], ...]

POLICY_FIELD = b"ratelimit-policy"
LIMIT_FIELD = b"ratelimit"
QUOTA, WINDOW, UNIT, REMAINING, RESET = "q", "w", "qu", "r", "t"
CONCURRENT = "concurrent-requests"

QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"
REDUCED_CAPACITY = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"

_LONGEST_WAIT_S = 86_400
_JITTER = 0.1


class Problem(NamedTuple):
    """An error answer as problem details.

    Attributes:
        status: the HTTP status.
        type: a URI; clients key on it.
        title: the class of problem, the same for each occurrence.
        detail: this occurrence.
        headers: further response fields.
        extensions: further members.
    """

    status: int
    type: str
    title: str
    detail: str | None = None
    headers: Headers = ()
    extensions: Mapping[str, Any] = MappingProxyType({})

    def body(self) -> bytes:
        """Return the JSON body."""
        members = {"type": self.type, "title": self.title, "status": self.status}
        if self.detail is not None:
            members["detail"] = self.detail
        return json.dumps({**members, **self.extensions}, separators=(",", ":")).encode()


def problem_type(word: str) -> str:
    """Return the URI for one of our own problem types; a full URI stays as it is."""
    return word if ":" in word else f"urn:tidegate:problem:{word}"


def retry_after_s(wait_us: int) -> int:
    """Return whole seconds for `Retry-After`: never too early, and jittered, so that clients spread out."""
    seconds = wait_us / 1_000_000
    return min(_LONGEST_WAIT_S, max(1, math.ceil(seconds * (1 + random.uniform(0, _JITTER)))))  # noqa: S311  spreads clients


def rate_limit_fields(policy: bytes, limit: bytes) -> Headers:
    """Return the two fields of one answer as ASGI header pairs.

    Args:
        policy: `RateLimit-Policy`, the same in every answer of the route.
        limit: `RateLimit`, what is left now.
    """
    return ((POLICY_FIELD, policy), (LIMIT_FIELD, limit))


class Standing(NamedTuple):
    """A limit, its algorithm as it was asked, and its answer."""

    limit: Limit
    rule: Rule
    state: LimitState


def limit_field(standings: Sequence[Standing], retry_after: int | None, now_us: int) -> bytes:
    """Write `RateLimit`: what is left of the limits.

    Args:
        standings: the limits that bind, and what the store said of each.
        retry_after: the seconds that `Retry-After` says, if it is sent: it must not end before a window does.
        now_us: the time.
    """
    return ", ".join([_left(standing, _reset(standing, retry_after, now_us)) for standing in standings]).encode()


def _left(standing: Standing, reset_s: int | None) -> str:
    item = f"{_named(standing.limit.label)};{REMAINING}={standing.state.remaining}"
    return item if reset_s is None else f"{item};{RESET}={reset_s}"


@lru_cache(maxsize=1024)
def _named(label: str) -> str:
    return listed([(label, {})]).decode()


def _reset(standing: Standing, retry_after: int | None, now_us: int) -> int | None:
    """Seconds within which no more than the remaining quota may be used: until the next unit comes back."""
    wait_us = standing.rule.next_unit_us(standing.state, now_us)
    if wait_us == 0:
        return None
    if standing.state.retry_after_us > 0:
        wait_us = standing.state.retry_after_us
    return min(-(-wait_us // 1_000_000), retry_after or _LONGEST_WAIT_S)


@lru_cache(maxsize=1024)
def policy_field(limits: tuple[Limit, ...]) -> bytes:
    """Write `RateLimit-Policy`: each limit as a quota and its window; slots as concurrent requests, which have none."""
    items: list[tuple[str, Parameters]] = []
    for limit in limits:
        if not limit.window_s:
            items.append((limit.label, {QUOTA: limit.quota, UNIT: CONCURRENT}))
        else:
            items.append((limit.label, {QUOTA: limit.quota, WINDOW: limit.window_s}))
    return listed(items)


def may_carry_fields(status: int) -> bool:
    """Whether an answer says what is left: the draft leaves the fields off redirections."""
    return not 300 <= status < 400


def problem_headers(problem: Problem) -> Headers:
    """Return all the fields of a problem's answer."""
    body = problem.body()
    return (
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        *problem.headers,
    )


def quota_exceeded(standings: Sequence[Standing]) -> tuple[Problem, int | None]:
    """Return the 429 for the limits that refuse, and the seconds after which the same request could pass.

    The seconds are None if it never will: its cost exceeds what a limit ever allows.
    """
    refusing = [standing for standing in standings if not standing.state.allowed]
    names = [standing.limit.label for standing in refusing]
    if any(standing.state.retry_after_us == NEVER for standing in refusing):
        detail = f"The request costs more than {', '.join(names)} ever allows at once."
        return Problem(429, QUOTA_EXCEEDED, "Quota exceeded", detail, (), {"violated-policies": names}), None
    seconds = retry_after_s(max(passing_us(standing) for standing in refusing))
    detail = f"The limit {', '.join(names)} is used up; try again in {seconds} s."
    retry = ((b"retry-after", str(seconds).encode()),)
    return Problem(429, QUOTA_EXCEEDED, "Quota exceeded", detail, retry, {"violated-policies": names}), seconds


def passing_us(standing: Standing) -> int:
    """Return how long to wait; for a slot a second, since its lease's end is only the latest that it may come free."""
    until_us = standing.state.retry_after_us
    return until_us if standing.limit.window_s else min(until_us, 1_000_000)


def reduced_capacity(detail: str, wait_us: int = 1_000_000) -> Problem:
    """Return the 503 for when it is us who can't, not the caller who may not."""
    retry = ((b"retry-after", str(retry_after_s(wait_us)).encode()),)
    return Problem(503, REDUCED_CAPACITY, "Temporarily reduced capacity", detail, retry)
