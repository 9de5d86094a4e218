"""Load shedding: refuse what capacity is too short for, the least critical first, before any store is asked.

What this environment knows already becomes one pressure (see `shedding.pressure`), the highest of:

- `demand`: what the fleet's callers want in flight, against its capacity: heard from Redis with decisions that are
  asked anyway, estimated from this environment's own share while Redis is down.
- `concurrency`: in a server, its own requests in flight against what it takes at once.
- `wait`: how long this request waited before it came here, which is a queue in front of us (CoDel's and DAGOR's
  signal; it never touches what is critical, as the next ones).
- `store`, `database` and what else is observed: how slow what we call has become.

Beside the pressure, a request is refused that can't be done in the time that its caller still waits (`deadline`).

What is refused for want of capacity is demand, as far as its caller's limits would have let it in; what won't be done
anyhow is none. A request that waits for its client's body, or for its start, is in nobody's way, and counts for
nothing meanwhile.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Token
from typing import TYPE_CHECKING, NamedTuple

from tidegate import criticality, deadline
from tidegate.clock import Clock
from tidegate.criticality import Criticality
from tidegate.identity.caller import Caller, Scope
from tidegate.routing import UNMATCHED, RoutePolicy
from tidegate.settings import Settings
from tidegate.shedding.fleet_demand import DemandView
from tidegate.shedding.pressure import BELOW_CRITICAL, Average, Falling, place_of, pressure_of, ramp, refused_share
from tidegate.shedding.signals import Arrival, arrival
from tidegate.stores.fleet_secret import FleetSecret
from tidegate.web.problems import Problem, reduced_capacity

if TYPE_CHECKING:
    from tidegate.shedding.entitlement import Entitlements

_RUN_WEIGHT = 0.125  # as of round trips in RFC 6298
_LATENCY_WEIGHT = 0.1
# How soon what isn't seen any more is forgotten: soon where it may be why nothing is seen.
_RUN_HALF_LIFE_S = 10.0
_LATENCY_HALF_LIFE_S = 5.0
# What a route's first run here makes lazily is made by then, even if that run hasn't ended.
_STARTED_WITHIN_S = 10.0
_SOONEST_US, _LATEST_US = 1_000_000, 10_000_000


class Decision(NamedTuple):
    """What shedding says to a request.

    Attributes:
        refused: whether it is too much; in shadow mode, whether it would be.
        pressure: 0 to 1.
        pressed_by: the signal that is the strongest; None without pressure.
    """

    refused: bool = False
    pressure: float = 0.0
    pressed_by: str | None = None


_ADMITTED = Decision()


class Shedder:
    """Decides for one environment; used on the event loop's thread, but for `observe`.

    Args:
        settings: the mode, the capacities and the thresholds.
        clock: where the time comes from.
        demand: what the fleet's callers demand; None if nobody says what the fleet can do.
        secret: keys the order in which principals are refused; None: one of this environment's own.
    """

    def __init__(
        self, settings: Settings, clock: Clock, demand: DemandView | None, secret: FleetSecret | None = None
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._demand = demand
        self._secret = secret or FleetSecret()
        self._entitlements: Entitlements | None = None
        self._started: dict[RoutePolicy, float] = {}
        self._in_flight = 0
        self._runs: dict[RoutePolicy, Average] = {}
        self._latencies: dict[str, Average] = {}
        self._falling = Falling()
        self._targets = {"store": settings.shed_store_ms, "database": settings.shed_database_ms}
        self._first = True

    def enter(self, scope: Scope, route: RoutePolicy, caller: Caller) -> SheddingTicket:
        """Decide about a request that has come; what is returned must be told of its end."""
        now_us = self._clock.wall_us()
        arrived = arrival(scope, route.policy.priority, caller, now_us)
        began = self._clock.monotonic()
        decision = _ADMITTED if self._settings.shed == "off" else self.decide(arrived, route, now_us, began)
        shed = decision.refused and self._settings.shed == "on" and not caller.exempt
        measured = not shed and self._demand is not None and self._has_started(route, began)
        if self._demand is not None:
            if measured:
                self._demand.begins(arrived.criticality)
            elif shed and self._is_demand(decision, route, caller, now_us, self._demand):
                self._demand.unmeasured(arrived.criticality)
        self._in_flight += not shed
        self._first = False
        return SheddingTicket(self, route, arrived, decision, began=began, measured=measured, shed=shed)

    def decide(self, arrived: Arrival, route: RoutePolicy, now_us: int, now_s: float) -> Decision:
        """Weigh a request, without taking it in.

        Args:
            arrived: what it tells of itself.
            route: its route.
            now_us: the time, on the wall's clock.
            now_s: the same on the monotonic one.
        """
        pressure, by = self._pressure(arrived, now_s)
        left_s = arrived.left_s
        if left_s is not None and self._runs.get(route, _UNSEEN).reaches(left_s, now_s, _RUN_HALF_LIFE_S):
            return Decision(refused=True, pressure=pressure, pressed_by="deadline")
        if not pressure:
            return _ADMITTED
        share = refused_share(pressure, arrived.criticality)
        refused = share > 0 and place_of(arrived.principal, now_us / 1_000_000, self._secret.value) < share
        return Decision(refused, round(pressure, 3), by)

    @property
    def now_s(self) -> float:
        """The time by which runs are measured."""
        return self._clock.monotonic()

    def pause(self, ticket: SheddingTicket) -> None:
        """Note that a request that was let in waits for its client."""
        self._in_flight -= 1
        if ticket.measured and self._demand is not None:
            self._demand.pauses(ticket.criticality)

    def resume(self, ticket: SheddingTicket) -> None:
        """Note that it goes on."""
        self._in_flight += 1
        if ticket.measured and self._demand is not None:
            self._demand.begins(ticket.criticality)

    def leave(self, ticket: SheddingTicket, *, ran: bool, failed: bool) -> None:
        """Note that a request that was let in has ended."""
        self._in_flight -= 1
        now = self._clock.monotonic()
        took_s = now - ticket.began - ticket.waited_s
        if self._demand is not None:
            self._count(ticket, took_s, self._demand, worked=ran or failed)
        if ran:
            # A route's first run here pays for what is made lazily, and says nothing of the next ones.
            known = self._runs.get(ticket.route)
            self._runs[ticket.route] = _UNSEEN if known is None else known.with_sample(took_s, now, _RUN_WEIGHT)

    def observe(self, dependency: str, milliseconds: float) -> None:
        """Note what a call to something took; what has no threshold counts for nothing."""
        if dependency in self._targets:
            now = self._clock.monotonic()
            seen = self._latencies.get(dependency) or Average(0.0, now)  # one slow call is no slow dependency
            # Slower than too slow says no more: an environment that was frozen during a call would take an hour for
            # its latency, and shed long after.
            sample = min(milliseconds, 2 * self._targets[dependency][1])
            self._latencies[dependency] = seen.with_sample(sample, now, _LATENCY_WEIGHT)

    def _count(self, ticket: SheddingTicket, took_s: float, demand: DemandView, *, worked: bool) -> None:
        if not ticket.measured:
            if worked:
                demand.unmeasured(ticket.criticality)
        elif worked:
            demand.ended(ticket.criticality, took_s)
        else:
            demand.withdrawn(ticket.criticality, took_s)
        if worked:
            self._started[ticket.route] = -math.inf

    def _has_started(self, route: RoutePolicy, now_s: float) -> bool:
        """Whether a route's runs here say how long others take: the first one pays for what is made lazily."""
        return now_s - self._started.setdefault(route, now_s) > _STARTED_WITHIN_S

    def _is_demand(
        self, decision: Decision, route: RoutePolicy, caller: Caller, now_us: int, demand: DemandView
    ) -> bool:
        """Whether what is refused would have been done: not too late, not without a route, not beyond a limit."""
        if decision.pressed_by == "deadline" or route.route == UNMATCHED:
            return False
        if self._entitlements is None:
            from tidegate.shedding.entitlement import Entitlements  # noqa: PLC0415  only what sheds needs it

            self._entitlements = Entitlements()
        return self._entitlements.let_in(
            route, caller, demand.environments, now_us, self._runs.get(route, _UNSEEN).value
        )

    def _pressure(self, arrived: Arrival, now_s: float) -> tuple[float, str | None]:
        highest, by = self._of_demand(now_s), "demand"
        if (pressure := self._of_concurrency()) > highest:
            highest, by = pressure, "concurrency"
        if (pressure := self._of_wait(arrived)) > highest:
            highest, by = pressure, "wait"
        for name, seen in self._latencies.items():
            low, high = self._targets[name]
            if not seen.reaches(low, now_s, _LATENCY_HALF_LIFE_S):
                continue
            pressure = BELOW_CRITICAL * ramp(seen.at(now_s, _LATENCY_HALF_LIFE_S), low, high)
            if pressure > highest:
                highest, by = pressure, name
        return highest, by if highest else None

    def _of_demand(self, now_s: float) -> float:
        capacity = self._settings.capacity
        if capacity is None or self._demand is None:
            return 0.0
        demand, doubt = self._demand.measured
        pressure = pressure_of(demand, capacity * self._settings.shed_in_flight, doubt)
        self._falling = self._falling.to(pressure, now_s)
        return self._falling.pressure

    def _of_concurrency(self) -> float:
        most = self._settings.concurrency
        return ramp(self._in_flight, most * self._settings.shed_in_flight, most) if most else 0.0

    def _of_wait(self, arrived: Arrival) -> float:
        """A cold start's time can't be told from a wait, so an environment's first request says nothing."""
        if arrived.waited_s is None or self._first:
            return 0.0
        return BELOW_CRITICAL * ramp(arrived.waited_s * 1000, *self._settings.shed_wait_ms)


class SheddingTicket:
    """One request between its entry and its end.

    Attributes:
        criticality: how dear it is.
        decision: what was decided.
        ends: when its caller stops waiting, in seconds of `time.monotonic()`; None: no end is known.
        measured: whether it counts for the demand as it runs.
        waited_s: how long it has waited for its client's body; that is no time of its run.
    """

    def __init__(
        self,
        shedder: Shedder,
        route: RoutePolicy,
        arrived: Arrival,
        decision: Decision,
        *,
        began: float,
        measured: bool,
        shed: bool,
    ) -> None:
        self.route = route
        self.criticality: Criticality = arrived.criticality
        self.decision = decision
        self.began = began
        self.measured = measured
        self.waited_s = 0.0
        self.ends = None if arrived.left_s is None else time.monotonic() + arrived.left_s
        self._shedder = shedder
        self._shed = shed
        self._inherited: tuple[Token[Criticality | None], Token[float | None]] | None = None

    def refusal(self) -> Problem | None:
        """The answer, if it is refused: when to come back is spread, so that not all come at once."""
        if not self._shed:
            return None
        latest_us = _SOONEST_US + self.decision.pressure * (_LATEST_US - _SOONEST_US)
        wait_us = round(random.uniform(_SOONEST_US, latest_us))  # noqa: S311  spreads clients
        if self.decision.pressed_by == "deadline":
            return reduced_capacity("There is not enough time left to answer before you stop waiting.", wait_us)
        return reduced_capacity("There are more requests than can be served now.", wait_us)

    def enter_context(self) -> None:
        """Let what the handler calls inherit the criticality and the deadline, in this context."""
        self._inherited = (criticality.current.set(self.criticality), deadline.current.set(self.ends))

    def exit_context(self) -> None:
        """End that, in the same context."""
        if self._inherited is not None:
            criticality.current.reset(self._inherited[0])
            deadline.current.reset(self._inherited[1])
            self._inherited = None

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count nothing while its client sends what it asks for, or it waits for the start that a limit gave it."""
        began = self._shedder.now_s
        self._shedder.pause(self)
        try:
            yield
        finally:
            self.waited_s += self._shedder.now_s - began
            self._shedder.resume(self)

    def leave(self, *, ran: bool, failed: bool = False) -> None:
        """Note its end.

        Args:
            ran: whether the handler did, to a regular end: only that tells how long it takes.
            failed: whether it did and raised, which was work all the same.
        """
        if not self._shed:
            self._shedder.leave(self, ran=ran, failed=failed)


_UNSEEN = Average()
