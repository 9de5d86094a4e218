"""What goes over HTTP: problem details, RateLimit fields, Retry-After.

The RateLimit fields are draft-ietf-httpapi-ratelimit-headers-11; names that the draft still moves stand here
once each. Problem details are RFC 9457, structured fields RFC 9651 (through `http_sf`).
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import http_sf

from tidegate.algorithms.token_bucket import NEVER
from tidegate.policy import TokenBucket
from tidegate.question import LimitState

Headers = tuple[tuple[bytes, bytes], ...]

POLICY_FIELD = b"ratelimit-policy"
LIMIT_FIELD = b"ratelimit"
QUOTA, WINDOW, REMAINING, RESET = "q", "w", "r", "t"

QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"
REDUCED_CAPACITY = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"

_LONGEST_WAIT_S = 86_400
_JITTER = 0.1


@dataclass(frozen=True, slots=True)
class Problem:
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
    extensions: dict[str, Any] = field(default_factory=dict)

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


@dataclass(frozen=True, slots=True)
class RateLimitFields:
    """The two fields of one answer.

    Attributes:
        policy: `RateLimit-Policy`, the same in every answer of the route.
        limit: `RateLimit`, what is left now.
    """

    policy: bytes
    limit: bytes

    def headers(self) -> Headers:
        """Return them as ASGI header pairs."""
        return ((POLICY_FIELD, self.policy), (LIMIT_FIELD, self.limit))


def rate_limit_fields(
    limits: Sequence[TokenBucket], states: Sequence[LimitState], retry_after: int | None
) -> RateLimitFields:
    """Describe the limits and what is left of them.

    Args:
        limits: the route's limits.
        states: the store's answer to each.
        retry_after: the seconds that `Retry-After` says, if it is sent: it must not end before a window does.
    """
    left = tuple(
        (limit.label, state.remaining, _window(limit, state, retry_after))
        for limit, state in zip(limits, states, strict=True)
    )
    return RateLimitFields(_policy_field(tuple(limits)), _limit_field(left))


def _window(limit: TokenBucket, state: LimitState, retry_after: int | None) -> int:
    """Seconds within which no more than the remaining quota may be used: until the next token comes back."""
    wait_us = state.retry_after_us if state.retry_after_us > 0 else limit.bucket.interval_us
    return min(math.ceil(wait_us / 1_000_000), retry_after or _LONGEST_WAIT_S)


@lru_cache(maxsize=1024)
def _policy_field(limits: tuple[TokenBucket, ...]) -> bytes:
    """A bucket as quota and window: as many units as fit into the seconds in which it fills."""
    items: list[Any] = []
    for limit in limits:
        seconds = max(1, math.ceil(limit.bucket.depth_us / 1_000_000))
        quota = max(limit.bucket.burst, seconds * 1_000_000 // limit.bucket.interval_us)
        items.append((limit.label, {QUOTA: quota, WINDOW: seconds}))
    return http_sf.ser(items).encode()


@lru_cache(maxsize=4096)
def _limit_field(left: tuple[tuple[str, int, int], ...]) -> bytes:
    items: list[Any] = [(name, {REMAINING: r, RESET: t}) for name, r, t in left]
    return http_sf.ser(items).encode()


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


def quota_exceeded(limits: Sequence[TokenBucket], states: Sequence[LimitState]) -> tuple[Problem, int | None]:
    """Return the 429 for the limits that refuse, and the seconds after which the same request could pass.

    The seconds are None if it never will: its cost exceeds a limit's burst.
    """
    refusing = [(limit, state) for limit, state in zip(limits, states, strict=True) if not state.allowed]
    names = [limit.label for limit, _ in refusing]
    if any(state.retry_after_us == NEVER for _, state in refusing):
        detail = f"The request costs more than {', '.join(names)} ever allows at once."
        return Problem(429, QUOTA_EXCEEDED, "Quota exceeded", detail, (), {"violated-policies": names}), None
    seconds = retry_after_s(max(state.retry_after_us for _, state in refusing))
    detail = f"The limit {', '.join(names)} is used up; try again in {seconds} s."
    retry = ((b"retry-after", str(seconds).encode()),)
    return Problem(429, QUOTA_EXCEEDED, "Quota exceeded", detail, retry, {"violated-policies": names}), seconds


def reduced_capacity(detail: str, wait_us: int = 1_000_000) -> Problem:
    """Return the 503 for when it is us who can't, not the caller who may not."""
    retry = ((b"retry-after", str(retry_after_s(wait_us)).encode()),)
    return Problem(503, REDUCED_CAPACITY, "Temporarily reduced capacity", detail, retry)
