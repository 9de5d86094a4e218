"""Limits: what a request is charged, and what its answer says of what is left."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from tidegate.decision import NEVER, SLOTS, LimitState
from tidegate.digests import digest
from tidegate.errors import StoreUnavailableError
from tidegate.identity.caller import Caller
from tidegate.limits.fields import LimitStatus, limit_field, passing_us, policy_field, quota_exceeded, rate_limit_fields
from tidegate.limits.limit import Limit
from tidegate.limits.overrides import NONE, Overrides
from tidegate.messages import Answer, Charge
from tidegate.routing import RoutePolicy
from tidegate.web.problems import Headers, Problem, reduced_capacity
from tidegate.web.shield import to_its_end

if TYPE_CHECKING:
    from tidegate.environment import Environment


class ChargeSet(NamedTuple):
    """The charges of one request; one object for all requests that are charged alike.

    Attributes:
        limits: those that apply to its caller.
        charges: one for each, in order.
        policy: the RateLimit-Policy field, of those that bind; empty if none does.
        reports: whether some only report.
        holds: whether some hold a slot.
        refusal: the problem to answer with, because what the request costs isn't known; None if it is.
    """

    limits: tuple[Limit, ...] = ()
    charges: tuple[Charge, ...] = ()
    policy: bytes = b""
    reports: bool = False
    holds: bool = False
    refusal: Problem | None = None

    @classmethod
    def of(
        cls, limits: tuple[Limit, ...], charges: tuple[Charge, ...], refusals: tuple[Problem | None, ...] = ()
    ) -> ChargeSet:
        """Make one; the first refusal counts."""
        binding = tuple(limit for limit in limits if not limit.shadow)
        policy = policy_field(binding) if binding else b""
        refusal = next((problem for problem in refusals if problem is not None), None)
        holds = any(charge.holder for charge in charges)
        return cls(limits, charges, policy, len(binding) < len(limits), holds, refusal)

    def corrections(self, units: Mapping[str | None, int], states: tuple[LimitState, ...] = ()) -> tuple[Charge, ...]:
        """Return what puts the charges right after the run: slots freed, costs as the handler said them.

        Args:
            units: what the request turned out to cost, by limit's name; None stands for all that aren't named.
            states: how each limit stood when it was charged, so that what is given back is taken from there.
        """
        if not units and not self.holds:
            return ()
        made = []
        for at, (limit, charge) in enumerate(zip(self.limits, self.charges, strict=True)):
            due = 0 if charge.holder else units.get(limit.name, units.get(None, charge.cost))
            if due != charge.cost:
                counts = states[at].counts if states else ()
                made.append(charge._replace(cost=due - charge.cost, known_counts=counts))
        return tuple(made)

    def renewals(self) -> tuple[Charge, ...]:
        """Return what keeps the request's slots, if it has any."""
        return tuple(charge._replace(cost=0) for charge in self.charges if charge.holder)


class LimitVerdict(NamedTuple):
    """What the limits say of a request.

    Attributes:
        refusal: the problem to answer with, or None if it may go on.
        fields: the RateLimit fields of the answer, empty if no store looked.
        shadowed: the limits that only report, and would have refused.
        passes_in_us: if it is refused, when the same request could pass; None if it never will, or nobody knows.
    """

    refusal: Problem | None
    fields: Headers = ()
    shadowed: tuple[str, ...] = ()
    passes_in_us: int | None = None


class LimitCharges:
    """What one request is charged, and whether that is still to be put right.

    Args:
        charge_set: its charges; nothing is charged before an answer that admits it is read.

    Attributes:
        unsettled: whether a store charged it, and nobody has taken the corrections yet.
        wait_us: how long the request has to wait for its start.
    """

    __slots__ = ("_set", "_states", "_store", "unsettled", "wait_us")

    def __init__(self, charge_set: ChargeSet) -> None:
        self._set = charge_set
        self._store: str | None = None
        self._states: tuple[LimitState, ...] = ()
        self.unsettled = False
        self.wait_us = 0

    def read(self, answer: Answer, now_us: int) -> LimitVerdict:
        """Read the limits' part of the answer, and note what was charged if it admits the request."""
        applied = self._set
        if not answer.limits:
            refused = applied.charges and not answer.admitted
            return LimitVerdict(reduced_capacity("No store can be asked for this route's limits.") if refused else None)
        standings = [
            LimitStatus(limit, charge.rule, state)
            for limit, charge, state in zip(applied.limits, applied.charges, answer.limits, strict=True)
        ]
        binding, shadowed = standings, tuple[str, ...]()
        if applied.reports:
            binding = [standing for standing in standings if not standing.limit.shadow]
            shadowed = tuple([s.limit.label for s in standings if s.limit.shadow and not s.state.allowed])
        if answer.admitted:
            self._store, self._states, self.unsettled = answer.store, answer.limits, True
            self.wait_us = max([standing.state.wait_us for standing in binding], default=0)
            return LimitVerdict(None, _fields(applied, binding, None, now_us), shadowed)
        refusal, retry_after = quota_exceeded(binding)
        fields = _fields(applied, binding, retry_after, now_us)
        return LimitVerdict(refusal, fields, shadowed, _passes_in_us(binding))

    def renewals(self) -> tuple[Charge, ...]:
        """Return what keeps the request's slots; empty if it holds none."""
        return self._set.renewals() if self._set.holds and self.unsettled else ()

    def take_corrections(self, units: Mapping[str | None, int], store: str | None = None) -> tuple[Charge, ...]:
        """Return the corrections, once: whoever takes them applies them.

        Args:
            units: what the request turned out to cost, as in `ChargeSet.corrections`.
            store: the store that the taker writes to; there are none for a store that charged nothing. None: any.
        """
        if not self.unsettled or (store is not None and store != self._store):
            return ()
        self.unsettled = False
        return self._set.corrections(units, self._states)

    async def apply_corrections(self, corrections: tuple[Charge, ...], subject: str, environment: Environment) -> None:
        """Write corrections that no settlement took along: a slot is freed, a cost becomes what it was."""
        stores, store = environment.stores, self._store
        with suppress(StoreUnavailableError), to_its_end():  # a slot's lease ends by itself
            await environment.call(lambda: stores.correct(store, subject, corrections))


_NOTHING = ChargeSet()
NOTHING_CHARGED = LimitCharges(_NOTHING)


class ChargeContext(NamedTuple):
    """What the charges depend on beside the route.

    Attributes:
        caller: who asks.
        scope: the ASGI scope, for costs that depend on the request.
        now_us: the time, for quotas by the calendar.
    """

    caller: Caller
    scope: Mapping[str, Any]
    now_us: int


def charge_set(route: RoutePolicy, asking: ChargeContext, namespace: str, overrides: Overrides = NONE) -> ChargeSet:
    """Return what one request is charged; the same object for all requests of a route wherever it can be."""
    caller = asking.caller
    if caller.exempt:
        return _NOTHING
    if caller.organisation is None:
        same = _same_for_all(route, namespace, overrides, unknown=caller.unknown)
        if same is not None:
            return same
    placed = _applying(route, overrides, unknown=caller.unknown, organised=caller.organisation is not None)
    placed, unknown = _by_caller(placed, caller)
    charged = [_charge(route, place, limit, asking, namespace) for place, limit in placed]
    limits = tuple(limit for _, limit in placed)
    return ChargeSet.of(
        limits, tuple(charge for charge, _ in charged), (*unknown, *(refusal for _, refusal in charged))
    )


@lru_cache(maxsize=16_384)
def subject(namespace: str, caller: Caller) -> str:
    """Return whose state a caller's limits are part of: an organisation's, with all its principals, or his own."""
    if caller.organisation is not None:
        return digest(namespace, "organisation", caller.organisation, size=9)
    return digest(namespace, caller.principal, size=9)


@lru_cache(maxsize=4096)
def _same_for_all(route: RoutePolicy, namespace: str, overrides: Overrides, *, unknown: bool) -> ChargeSet | None:
    """Return the charges of every caller without an organisation, if nothing in it depends on the request."""
    placed = _applying(route, overrides, unknown=unknown, organised=False)
    if any(limit.of_the_moment for _, limit in placed):
        return None
    anybody = ChargeContext(Caller(""), {}, 0)
    charges = tuple(_charge(route, place, limit, anybody, namespace)[0] for place, limit in placed)
    return ChargeSet.of(tuple(limit for _, limit in placed), charges)


def _by_caller(
    placed: tuple[tuple[int, Limit], ...], caller: Caller
) -> tuple[tuple[tuple[int, Limit], ...], tuple[Problem, ...]]:
    """Return the limits with the caller's own rates, and the problems of those whose rate isn't known.

    A shadow whose rate isn't known is left out, since it refuses nobody.
    """
    if not any(limit.by_caller for _, limit in placed):
        return placed, ()
    from tidegate.limits.tiers import limit_for  # noqa: PLC0415  few limits have such a rate

    found = [(place, limit, limit_for(limit, caller) if limit.by_caller else limit) for place, limit in placed]
    known = tuple((place, his) for place, _, his in found if not isinstance(his, Problem))
    return known, tuple(his for _, limit, his in found if isinstance(his, Problem) and not limit.shadow)


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


def _charge(
    route: RoutePolicy, place: int, limit: Limit, asking: ChargeContext, namespace: str
) -> tuple[Charge, Problem | None]:
    """Return what one limit is charged, and the problem to answer with if that isn't known."""
    caller = asking.caller
    # Within an organisation's state each principal's limits have keys of their own.
    owner = caller.principal if caller.organisation is not None and limit.per != "organisation" else ""
    if (declared := route.policy.limits[place]).by_caller:
        from tidegate.limits.tiers import period_of  # noqa: PLC0415  few limits have such a rate

        owner += period_of(declared, limit)
    rule = limit.rule(asking.now_us, caller.time_zone)
    cost, refusal = _cost(limit, asking.scope)
    charge = Charge(
        _key(route, place, limit, owner if limit.per != "route" else ""),
        rule,
        cost,
        subject=_route_subject(namespace, "" if limit.shared else route.route) if limit.per == "route" else "",
        shadow=limit.shadow,
        holder=uuid.uuid4().hex if rule.kind == SLOTS else "",
    )
    return charge, refusal


def _cost(limit: Limit, scope: Mapping[str, Any]) -> tuple[int, Problem | None]:
    """Return the units; one of them where they aren't known, for who only looks. A shadow refuses nobody."""
    if not callable(limit.cost):
        return limit.cost, None
    from tidegate.limits.costs import cost_of  # noqa: PLC0415  few limits have such a cost

    found = cost_of(limit, limit.cost, scope)
    if isinstance(found, int):
        return found, None
    return (0, None) if limit.shadow else (1, found)


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


def _fields(applied: ChargeSet, binding: list[LimitStatus], retry_after: int | None, now_us: int) -> Headers:
    if not binding:
        return ()
    return rate_limit_fields(applied.policy, limit_field(binding, retry_after, now_us))


def _passes_in_us(binding: list[LimitStatus]) -> int | None:
    waits_us = [passing_us(standing) for standing in binding if not standing.state.allowed]
    return None if NEVER in waits_us else max(waits_us, default=None)
