"""A fleet that scales out in virtual time, as on Lambda: each environment one request at a time, and a start is slow.

The environments are real shedders with their views; what Redis sums up for them is the algorithm that its script is
tested against. What the world knows and they don't is how long each request, also a refused one, would have run.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from dataclasses import dataclass, field
from itertools import count

from tidegate import Caller, Policy, Settings
from tidegate.criticality import ORDER, Criticality
from tidegate.routing import RoutePolicy
from tidegate.shedding.demand import COUNTED_S, KEPT_S, TimeSlots
from tidegate.shedding.fleet_demand import DemandView
from tidegate.shedding.shedder import Shedder, SheddingTicket
from tidegate.stores.fleet_secret import FleetSecret
from tidegate.testing import FakeClock

# A quick and a slow route of each criticality, as multiples of the mean run.
_ROUTES = {
    each: [(RoutePolicy(f"/{each}/{pace}", "GET", Policy(priority=each)), pace) for pace in (0.5, 1.5)]
    for each in ORDER
}
_MIX = (0.1, 0.4, 0.5)
_PRINCIPALS = 300


@dataclass(frozen=True)
class Case:
    """A fleet and what comes to it.

    Attributes:
        environments: after it has scaled out.
        before: how many of them were there before.
        busy: the share of them that the requests keep busy, if all are admitted.
        run_s: what a run takes on average.
        start_s: how much longer an environment's first one takes.
        lazy_s: how much longer a route's first run in an environment takes.
        within_s: the time in which the new ones start.
        room: what there is room for, as a multiple of the true demand; below 1 some are refused.
        latest_first: whether the environment that was used last is used next, so that others idle; or any.
    """

    environments: int
    before: int = 0
    busy: float = 0.5
    run_s: float = 0.05
    start_s: float = 2.0
    lazy_s: float = 0.3
    within_s: float = 0.5
    room: float = 3.0
    latest_first: bool = False

    @property
    def per_s(self) -> float:
        """Requests a second."""
        return self.busy * self.environments / self.run_s

    @property
    def demand(self) -> float:
        """The true demand."""
        return self.busy * self.environments


class Redis:
    """What Redis knows of the demand."""

    def __init__(self) -> None:
        self.slots = TimeSlots()

    def exchange(self, view: DemandView, now_s: float) -> None:
        """Take a report along, if one is due, and tell the sum."""
        report = view.due()
        if report is None:
            return
        newest = self.slots.turn(now_s)
        for i, number in enumerate(report.numbers):
            newest[i] += number
        view.heard(*self.slots.measure(now_s))


@dataclass
class _Environment:
    view: DemandView
    shedder: Shedder
    starts_s: float
    seen: set[RoutePolicy] = field(default_factory=set)
    answered: bool = False


class World:
    """The fleet at work.

    Args:
        case: what it is.
        seed: of all chance in it.
    """

    def __init__(self, case: Case, seed: int) -> None:
        self.case = case
        self.clock = FakeClock()
        self.redis = Redis()
        self._random = random.Random(seed)
        self._began_s = self.clock.monotonic()
        self._number = count()
        self._events: list[tuple[float, int, str, object]] = []
        self._free: list[_Environment] = []
        self._queue: deque[float] = deque()
        self._would_run: deque[tuple[float, float, Criticality]] = deque()
        self._let_in_s = dict.fromkeys(ORDER, -math.inf)
        self.refused = self.came = 0
        room = case.room * case.demand
        settings = Settings(memory_only=True, capacity=round(100 * room), shed_in_flight=0.01)
        for i in range(case.environments):
            view = DemandView(self.clock, lambda: case.environments)
            starts_s = -10.0 if i < case.before else self._random.uniform(0, case.within_s)
            shedder = Shedder(settings, self.clock, view, FleetSecret(f"seed {seed}"))
            self._at(max(0.0, starts_s), "starts", _Environment(view, shedder, starts_s))
        self._at(0.0, "comes", None)

    @property
    def now_s(self) -> float:
        return self.clock.monotonic() - self._began_s

    def run(self, until_s: float) -> None:
        """Go on to a time."""
        while self._events and self._events[0][0] <= until_s:
            at_s, _, kind, what = heapq.heappop(self._events)
            self.clock.advance(max(0.0, at_s - self.now_s))
            if kind == "comes":
                self._queue.append(at_s)
                self._at(at_s + self._random.expovariate(self.case.per_s), "comes", None)
            elif kind == "starts":
                self._free.append(what)  # type: ignore[arg-type]  # the kind says what it is
            else:
                environment, ticket = what  # type: ignore[misc]  # as above
                ticket.leave(ran=True)
                self._free.append(environment)
            self._serve()
        self.clock.advance(max(0.0, until_s - self.now_s))

    @property
    def estimate(self) -> float:
        """What the fleet believes to be the demand."""
        return sum(self.redis.slots.measure(self.clock.monotonic()).demand)

    @property
    def truth(self) -> float:
        """What would have been in flight, over the time that the estimate is of, if all that came here had run.

        A criticality of which nothing at all is let in is none of it: nobody can know it, and none is let in either
        way as long as what is dearer is too much.
        """
        since_s = self.now_s - COUNTED_S
        while self._would_run and self._would_run[0][0] < since_s - 60 * self.case.run_s:
            self._would_run.popleft()
        known = [each for each in ORDER if self._let_in_s[each] > self.now_s - KEPT_S]
        overlaps = [
            max(0.0, min(end, self.now_s) - max(begin, since_s))
            for begin, end, what in self._would_run
            if what in known
        ]
        return sum(overlaps) / COUNTED_S

    def _at(self, at_s: float, kind: str, what: object) -> None:
        heapq.heappush(self._events, (at_s, next(self._number), kind, what))

    def _serve(self) -> None:
        while self._queue and self._free:
            self._queue.popleft()
            last = len(self._free) - 1
            environment = self._free.pop(last if self.case.latest_first else self._random.randint(0, last))
            self._ask(environment)

    def _ask(self, environment: _Environment) -> None:
        [criticality] = self._random.choices(ORDER, _MIX)
        route, pace = self._random.choice(_ROUTES[criticality])
        run_s = self.case.run_s * pace * self._random.uniform(0.2, 1.8)
        principal = f"key:{self._random.randrange(_PRINCIPALS)}"
        ticket: SheddingTicket = environment.shedder.enter({"headers": []}, route, Caller(principal))
        self.came += 1
        self._would_run.append((self.now_s, self.now_s + run_s, criticality))
        if ticket.refusal() is not None:
            self.refused += 1
            self._free.append(environment)
            return
        self._let_in_s[criticality] = self.now_s
        self.redis.exchange(environment.view, self.clock.monotonic())
        takes_s = run_s
        if route not in environment.seen:
            environment.seen.add(route)
            takes_s += self.case.lazy_s
        if not environment.answered:
            environment.answered = True
            takes_s += self.case.start_s
        self._at(self.now_s + takes_s, "ends", (environment, ticket))
