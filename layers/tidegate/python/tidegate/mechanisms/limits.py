"""Limits: what a request is charged, and what its answer says of what is left."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from tidegate.algorithms.decision import NEVER, SLOTS
from tidegate.http import (
    Headers,
    Problem,
    Standing,
    limit_field,
    passing_us,
    policy_field,
    quota_exceeded,
    rate_limit_fields,
    reduced_capacity,
)
from tidegate.identity import Caller, digest
from tidegate.limits.limit import Limit
from tidegate.overrides import NONE, Overrides
from tidegate.question import Answer, Charge
from tidegate.routing import RoutePolicy


class Bill(NamedTuple):
    """What one request is charged.

    Attributes:
        limits: those that apply to its caller.
        charges: one for each, in order.
        policy: the RateLimit-Policy field, of those that bind; empty if none does.
        reports: whether some only report.
        holds: whether some hold a slot.
    """

    limits: tuple[Limit, ...] = ()
    charges: tuple[Charge, ...] = ()
    policy: bytes = b""
    reports: bool = False
    holds: bool = False

    @classmethod
    def of(cls, limits: tuple[Limit, ...], charges: tuple[Charge, ...]) -> Bill:
        """Make it out."""
        binding = tuple(limit for limit in limits if not limit.shadow)
        policy = policy_field(binding) if binding else b""
        return cls(limits, charges, policy, len(binding) < len(limits), any(charge.holder for charge in charges))

    def corrections(self, units: Mapping[str | None, int]) -> tuple[Charge, ...]:
        """Return what puts the charges right after the run: slots freed, costs as the handler said them.

        Args:
            units: what the request turned out to cost, by limit's name; None stands for all that aren't named.
        """
        if not units and not self.holds:
            return ()
        made = []
        for limit, charge in zip(self.limits, self.charges, strict=True):
            due = 0 if charge.holder else units.get(limit.name, units.get(None, charge.cost))
            if due != charge.cost:
                made.append(charge._replace(cost=due - charge.cost))
        return tuple(made)

    def renewals(self) -> tuple[Charge, ...]:
        """Return what keeps the request's slots, if it has any."""
        return tuple(charge._replace(cost=0) for charge in self.charges if charge.holder) if self.holds else ()


NO_BILL = Bill()


class LimitVerdict(NamedTuple):
    """What the limits say of a request.

    Attributes:
        refusal: the problem to answer with, or None if it may go on.
        fields: the RateLimit fields of the answer, empty if no store looked.
        wait_us: how long the request has to wait for its start.
        shadowed: the limits that only report, and would have refused.
        passes_in_us: if it is refused, when the same request could pass; None if it never will, or nobody knows.
    """

    refusal: Problem | None
    fields: Headers = ()
    wait_us: int = 0
    shadowed: tuple[str, ...] = ()
    passes_in_us: int | None = None


class Asking(NamedTuple):
    """What a bill depends on beside the route.

    Attributes:
        caller: who asks.
        scope: the ASGI scope, for costs that depend on the request.
        now_us: the time, for quotas by the calendar.
    """

    caller: Caller
    scope: Mapping[str, Any]
    now_us: int


def bill(route: RoutePolicy, asking: Asking, namespace: str, overrides: Overrides = NONE) -> Bill:
    """Return what one request is charged; the same object for all requests of a route wherever it can be."""
    caller = asking.caller
    if caller.organisation is None:
        same = _same_for_all(route, namespace, overrides, unknown=caller.unknown)
        if same is not None:
            return same
    placed = _applying(route, overrides, unknown=caller.unknown, organised=caller.organisation is not None)
    charges = tuple(_charge(route, place, limit, asking, namespace) for place, limit in placed)
    return Bill.of(tuple(limit for _, limit in placed), charges)


@lru_cache(maxsize=16_384)
def subject(namespace: str, caller: Caller) -> str:
    """Return whose state a caller's limits are part of: an organisation's, with all its principals, or his own."""
    if caller.organisation is not None:
        return digest(namespace, "organisation", caller.organisation, size=9)
    return digest(namespace, caller.principal, size=9)


@lru_cache(maxsize=4096)
def _same_for_all(route: RoutePolicy, namespace: str, overrides: Overrides, *, unknown: bool) -> Bill | None:
    """Return the bill of every caller without an organisation, if nothing in it depends on the request."""
    placed = _applying(route, overrides, unknown=unknown, organised=False)
    if any(limit.of_the_moment for _, limit in placed):
        return None
    anybody = Asking(Caller(""), {}, 0)
    charges = tuple(_charge(route, place, limit, anybody, namespace) for place, limit in placed)
    return Bill.of(tuple(limit for _, limit in placed), charges)


@lru_cache(maxsize=4096)
def _applying(
    route: RoutePolicy, overrides: Overrides, *, unknown: bool, organised: bool
) -> tuple[tuple[int, Limit], ...]:
    """Return the limits that count for such a caller, as they are now, with their places in the policy."""
    in_force = ((place, overrides.applied(limit)) for place, limit in enumerate(route.policy.limits))
    return tuple(
        (place, limit)
        for place, limit in in_force
        if limit is not None and (limit.per != "organisation" or organised) and (limit.per != "ip" or unknown)
    )


def _charge(route: RoutePolicy, place: int, limit: Limit, asking: Asking, namespace: str) -> Charge:
    caller = asking.caller
    # Within an organisation's state each principal's limits have keys of their own.
    owner = caller.principal if caller.organisation is not None and limit.per != "organisation" else ""
    rule = limit.rule(asking.now_us, caller.time_zone)
    return Charge(
        _key(route, place, limit, owner if limit.per != "route" else ""),
        rule,
        limit.cost(asking.scope) if callable(limit.cost) else limit.cost,
        subject=_route_subject(namespace, "" if limit.shared else route.route) if limit.per == "route" else "",
        shadow=limit.shadow,
        holder=uuid.uuid4().hex if rule.kind == SLOTS else "",
    )


@lru_cache(maxsize=16_384)
def _key(route: RoutePolicy, place: int, limit: Limit, owner: str) -> str:
    """Name a limit's state. It doesn't depend on its numbers, so that a release that changes them gives nobody more."""
    named = ["named", limit.name] if limit.name else [str(place)]
    whose = [owner] if owner else []
    if limit.shared:
        return digest("shared", *named, *whose, size=6)
    return digest(route.method, route.route, *named, *whose, size=6)


@lru_cache(maxsize=1024)
def _route_subject(namespace: str, route: str) -> str:
    return digest(namespace, "route", route, size=9)


def read(applied: Bill, answer: Answer, now_us: int) -> LimitVerdict:
    """Read the limits' part of the answer."""
    if not answer.limits:
        refused = applied.charges and not answer.admitted
        return LimitVerdict(reduced_capacity("No store can be asked for this route's limits.") if refused else None)
    standings = [
        Standing(limit, charge.rule, state)
        for limit, charge, state in zip(applied.limits, applied.charges, answer.limits, strict=True)
    ]
    binding, shadowed = standings, tuple[str, ...]()
    if applied.reports:
        binding = [standing for standing in standings if not standing.limit.shadow]
        shadowed = tuple([s.limit.label for s in standings if s.limit.shadow and not s.state.allowed])
    if answer.admitted:
        wait_us = max([standing.state.wait_us for standing in binding], default=0)
        return LimitVerdict(None, _fields(applied, binding, None, now_us), wait_us, shadowed)
    refusal, retry_after = quota_exceeded(binding)
    fields = _fields(applied, binding, retry_after, now_us)
    return LimitVerdict(refusal, fields, 0, shadowed, _passes_in_us(binding))


def _fields(applied: Bill, binding: list[Standing], retry_after: int | None, now_us: int) -> Headers:
    if not binding:
        return ()
    return rate_limit_fields(applied.policy, limit_field(binding, retry_after, now_us))


def _passes_in_us(binding: list[Standing]) -> int | None:
    waits_us = [passing_us(standing) for standing in binding if not standing.state.allowed]
    return None if NEVER in waits_us else max(waits_us, default=None)
