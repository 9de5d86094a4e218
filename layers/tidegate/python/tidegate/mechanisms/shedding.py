"""Load shedding: refuse what capacity is too short for, the least critical first, before any store is asked.

What this environment knows already becomes one pressure (see `algorithms.shedding`), the highest of:

- `demand`: what the fleet's callers want in flight, against its capacity: heard from Redis with decisions that are
  asked anyway, estimated from this environment's own share while Redis is down.
- `concurrency`: in a server, its own requests in flight against what it takes at once.
- `wait`: how long this request waited before it came here, which is a queue in front of us (CoDel's and DAGOR's
  signal; it never touches what is critical, as the next ones).
- `store`, `database` and what else is observed: how slow what we call has become.

Beside the pressure, a request is refused that can't be done in the time that its caller still waits (`deadline`).
"""

from __future__ import annotations

import random
import time
from contextvars import Token
from typing import NamedTuple

from tidegate import criticality, deadline
from tidegate.algorithms.shedding import BELOW_CRITICAL, Average, place_of, pressure_of, ramp, refused_share
from tidegate.clock import Clock
from tidegate.criticality import Criticality
from tidegate.http import Problem, reduced_capacity
from tidegate.identity import Caller, Scope
from tidegate.mechanisms.arrival import Arrival, arrival
from tidegate.routing import RoutePolicy
from tidegate.settings import Settings
from tidegate.stores.demand import DemandView

_RUN_WEIGHT = 0.125  # as of round trips in RFC 6298
_LATENCY_WEIGHT = 0.1
# How soon what isn't seen any more is forgotten: soon where it may be why nothing is seen.
_RUN_HALF_LIFE_S = 10.0
_DEMAND_HALF_LIFE_S = 30.0
_LATENCY_HALF_LIFE_S = 5.0
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
    """

    def __init__(self, settings: Settings, clock: Clock, demand: DemandView | None) -> None:
        self._settings = settings
        self._clock = clock
        self._demand = demand
        self._in_flight = 0
        self._runs: dict[RoutePolicy, Average] = {}
        self._latencies: dict[str, Average] = {}
        self._targets = {"store": settings.shed_store_ms, "database": settings.shed_database_ms}
        self._first = True

    def enter(self, scope: Scope, route: RoutePolicy, caller: Caller) -> Visit:
        """Decide about a request that has come; what is returned must be told of its end."""
        now_us = self._clock.wall_us()
        arrived = arrival(scope, route.policy.priority, caller, now_us)
        began = self._clock.monotonic()
        decision = _ADMITTED if self._settings.shed == "off" else self.decide(arrived, route, now_us, began)
        expected_s = 0.0
        if self._demand is not None:
            expected_s = self._expected_s(route, self._demand, began)
            self._demand.came(arrived.criticality, expected_s)
        shed = decision.refused and self._settings.shed == "on"
        self._in_flight += not shed
        self._first = False
        return Visit(self, route, arrived, decision, began=began, expected_s=expected_s, shed=shed)

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
        refused = share > 0 and place_of(arrived.principal, now_us / 1_000_000) < share
        return Decision(refused, round(pressure, 3), by)

    def leave(self, visit: Visit, *, ran: bool) -> None:
        """Note that a request that was let in has ended."""
        self._in_flight -= 1
        now = self._clock.monotonic()
        took_s = now - visit.began
        if self._demand is not None:
            self._demand.came(visit.criticality, took_s - visit.expected_s)
        if ran:
            if self._demand is not None:
                self._demand.ran(took_s)
            # A route's first run here pays for what is made lazily, and says nothing of the next ones.
            known = self._runs.get(visit.route)
            self._runs[visit.route] = _UNSEEN if known is None else known.with_sample(took_s, now, _RUN_WEIGHT)

    def observe(self, dependency: str, milliseconds: float) -> None:
        """Note what a call to something took; what has no threshold counts for nothing."""
        if dependency in self._targets:
            now = self._clock.monotonic()
            seen = self._latencies.get(dependency) or Average(0.0, now)  # one slow call is no slow dependency
            # Slower than too slow says no more: an environment that was frozen during a call would take an hour for
            # its latency, and shed long after.
            sample = min(milliseconds, 2 * self._targets[dependency][1])
            self._latencies[dependency] = seen.with_sample(sample, now, _LATENCY_WEIGHT)

    def _expected_s(self, route: RoutePolicy, demand: DemandView, now_s: float) -> float:
        """What a request will take: what the route took, or else all that ran here.

        Who is shed tells nothing new, and counts for what the route took before: runs that were slow once, as when
        many environments start together, would shed a calm moment as long as they were believed.
        """
        return self._runs.get(route, _UNSEEN).at(now_s, _DEMAND_HALF_LIFE_S) or demand.run_s

    def _pressure(self, arrived: Arrival, now_s: float) -> tuple[float, str | None]:
        highest, by = self._of_demand(), "demand"
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

    def _of_demand(self) -> float:
        capacity = self._settings.capacity
        if capacity is None or self._demand is None:
            return 0.0
        return pressure_of(self._demand.fleet, capacity * self._settings.shed_in_flight)

    def _of_concurrency(self) -> float:
        most = self._settings.concurrency
        return ramp(self._in_flight, most * self._settings.shed_in_flight, most) if most else 0.0

    def _of_wait(self, arrived: Arrival) -> float:
        """A cold start's time can't be told from a wait, so an environment's first request says nothing."""
        if arrived.waited_s is None or self._first:
            return 0.0
        return BELOW_CRITICAL * ramp(arrived.waited_s * 1000, *self._settings.shed_wait_ms)


class Visit:
    """One request between its entry and its end.

    Attributes:
        criticality: how dear it is.
        decision: what was decided.
        ends: when its caller stops waiting, in seconds of `time.monotonic()`; None: no end is known.
    """

    def __init__(
        self,
        shedder: Shedder,
        route: RoutePolicy,
        arrived: Arrival,
        decision: Decision,
        *,
        began: float,
        expected_s: float,
        shed: bool,
    ) -> None:
        self.route = route
        self.criticality: Criticality = arrived.criticality
        self.decision = decision
        self.began = began
        self.expected_s = expected_s
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

    def bequeath(self) -> None:
        """Let what the handler calls inherit the criticality and the deadline, in this context."""
        self._inherited = (criticality.current.set(self.criticality), deadline.current.set(self.ends))

    def withdraw(self) -> None:
        """End that, in the same context."""
        if self._inherited is not None:
            criticality.current.reset(self._inherited[0])
            deadline.current.reset(self._inherited[1])
            self._inherited = None

    def leave(self, *, ran: bool) -> None:
        """Note its end.

        Args:
            ran: whether the handler did, to a regular end: only that tells how long it takes.
        """
        if not self._shed:
            self._shedder.leave(self, ran=ran)


_UNSEEN = Average()
