"""Limits: what a request is charged, and what its answer says of what is left."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from tidegate.http import Headers, Problem, quota_exceeded, rate_limit_fields, reduced_capacity
from tidegate.identity import digest
from tidegate.policy import Policy
from tidegate.question import Answer, Charge
from tidegate.routing import RoutePolicy


@dataclass(frozen=True, slots=True)
class LimitVerdict:
    """What the limits say of a request.

    Attributes:
        refusal: the problem to answer with, or None if it may go on.
        fields: the RateLimit fields of the answer, empty if no store looked.
    """

    refusal: Problem | None
    fields: Headers


@lru_cache(maxsize=4096)
def charges(route: RoutePolicy) -> tuple[Charge, ...]:
    """Return what one request for the route is charged, per principal and route.

    A bucket's key doesn't depend on its rate, so a release that changes a rate hands no one a full bucket.
    """
    return tuple(
        Charge(
            digest(route.method, route.route, *(["named", limit.name] if limit.name else [str(place)]), size=6),
            limit.bucket,
            limit.cost,
        )
        for place, limit in enumerate(route.policy.limits)
    )


def read(policy: Policy, answer: Answer) -> LimitVerdict:
    """Read the limits' part of the answer."""
    if not answer.limits:
        refusal = None if answer.admitted else reduced_capacity("No store can be asked for this route's limits.")
        return LimitVerdict(refusal, ())
    refusal, retry_after = (None, None) if answer.admitted else quota_exceeded(policy.limits, answer.limits)
    return LimitVerdict(refusal, rate_limit_fields(policy.limits, answer.limits, retry_after).headers())
