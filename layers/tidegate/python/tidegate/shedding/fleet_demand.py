"""The fleet's demand as this environment knows it: from Redis, or else estimated from its own requests."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from operator import add
from threading import Lock
from typing import NamedTuple

from tidegate.clock import Clock
from tidegate.criticality import Criticality, rank
from tidegate.shedding.demand import ENDED, NUMBERS, SECONDS, SQUARES, TOOK, UNMEASURED, Measured, TimeSlots
from tidegate.shedding.pressure import Demand

# An environment reports at most every tenth of a second, and less often in a large fleet, whose reports together are at
# most `REPORTS_PER_S`. Then the moments are random, or environments that start together would always report together.
REPORT_EVERY_S = 0.1
REPORTS_PER_S = 700
# For so long the fleet's demand from Redis counts for more than this environment's own estimate.
BELIEVED_S = 1.0
# For so long it still counts if the own estimate is higher.
OUTWEIGHS_S = 5.0
# Counts that weren't reported within this time, or up to twice as long, are outdated: then only their existence is
# reported.
FRESH_S = 0.5


class Report(NamedTuple):
    """An environment's counts since its last report, in the order of `shedding.demand`."""

    numbers: tuple[float, ...]


class DemandView:
    """Measures this environment's demand, reports it, and keeps the fleet's; thread-safe.

    Args:
        clock: gives the time.
        environments: returns how many are alive.
    """

    def __init__(self, clock: Clock, environments: Callable[[], int]) -> None:
        self._clock = clock
        self._count = environments
        self._lock = Lock()
        self._slots = TimeSlots()
        self._unreported, self._older, self._fresh_since = [0.0] * NUMBERS, [0.0] * NUMBERS, clock.monotonic()
        self._running = [0, 0, 0]
        self._run_until = self._reported_at = clock.monotonic()
        self._every_s = 0.0
        self._received, self._received_at = Measured(), -math.inf

    @property
    def environments(self) -> int:
        """How many environments are alive."""
        return self._count()

    def begins(self, criticality: Criticality) -> None:
        """Note that a request begins to run, or goes on after a wait for its client."""
        i, now = rank(criticality), self._clock.monotonic()
        with self._lock:
            self._pass(now)
            self._running[i] += 1

    def pauses(self, criticality: Criticality) -> None:
        """Note that a request waits for its client, and takes no capacity."""
        i, now = rank(criticality), self._clock.monotonic()
        with self._lock:
            self._pass(now)
            self._running[i] -= 1

    def ended(self, criticality: Criticality, took_s: float) -> None:
        """Note that a request has ended, after so many seconds of running."""
        i, now = rank(criticality), self._clock.monotonic()
        with self._lock:
            self._pass(now)
            self._running[i] -= 1
            for numbers in (self._slots.newest, self._unreported):
                numbers[ENDED + i] += 1
                numbers[TOOK + i] += took_s

    def withdrawn(self, criticality: Criticality, took_s: float) -> None:
        """Take off the run time of a request that was no work, because a limit refused it or it was invalid."""
        i, now = rank(criticality), self._clock.monotonic()
        with self._lock:
            self._pass(now)
            self._running[i] -= 1
            for numbers in (self._slots.newest, self._unreported):
                numbers[SECONDS + i] -= took_s

    def unmeasured(self, criticality: Criticality) -> None:
        """Note a request that was refused, or whose run time isn't typical."""
        i, now = rank(criticality), self._clock.monotonic()
        with self._lock:
            self._pass(now)
            for numbers in (self._slots.newest, self._unreported):
                numbers[UNMEASURED + i] += 1

    @property
    def fleet(self) -> Demand:
        """The fleet's demand now."""
        return self.measured.demand

    @property
    def measured(self) -> Measured:
        """The fleet's demand now, with its standard error."""
        now = self._clock.monotonic()
        with self._lock:
            received, age_s = self._received, now - self._received_at
            if age_s < max(BELIEVED_S, 2 * self._every_s):
                return received
            self._pass(now)
            own = self._slots.measure(now)
        estimated = own.times(self._count())
        # One environment is a small sample of the fleet: its own estimate may raise the demand only if the fleet's is
        # too old.
        return received if age_s < OUTWEIGHS_S and sum(received.demand) < sum(estimated.demand) else estimated

    def due(self) -> Report | None:
        """Return a report of the counts so far, which then begin again; None if the last report was too recent."""
        now = self._clock.monotonic()
        with self._lock:
            if now - self._reported_at < self._every_s:
                return None
            self._pass(now)
            report = Report(tuple(map(add, self._unreported, self._older)))
            self._unreported, self._older = [0.0] * NUMBERS, [0.0] * NUMBERS
            self._reported_at = self._fresh_since = now
            self._every_s = self._drawn_s()
            return report

    def heard(self, demand: Demand, doubt: float = 0.0) -> None:
        """Take the fleet's demand from Redis.

        Args:
            demand: the sum over all environments.
            doubt: its standard error.
        """
        with self._lock:
            self._received, self._received_at = Measured(demand, doubt), self._clock.monotonic()

    def _drawn_s(self) -> float:
        mean_s = self._count() / REPORTS_PER_S
        if mean_s <= REPORT_EVERY_S:
            return REPORT_EVERY_S
        return mean_s * random.uniform(0.5, 1.5)  # noqa: S311  guards nothing

    def _pass(self, now: float) -> None:
        """Count the run time since the last call."""
        since = self._run_until
        if now <= since:
            return
        self._run_until, lasted_s = now, now - since
        if now - self._fresh_since > max(FRESH_S, self._every_s):
            self._age(now)
        for i, running in enumerate(self._running):
            if running > 0:
                self._slots.run(i, running, since, now)
                self._unreported[SECONDS + i] += running * lasted_s
                self._unreported[SQUARES] += running * lasted_s * lasted_s
        self._slots.turn(now)

    def _age(self, now: float) -> None:
        """Begin a new part of the unreported counts; of those before the last part, only their existence is kept."""
        lost = [self._older]
        if now - self._fresh_since > 2 * max(FRESH_S, self._every_s):
            lost.append(self._unreported)
            self._unreported = [0.0] * NUMBERS
        self._older, self._unreported, self._fresh_since = self._unreported, [0.0] * NUMBERS, now
        for i in range(3):
            if any(numbers[UNMEASURED + i] + numbers[ENDED + i] > 0 for numbers in lost):
                self._older[UNMEASURED + i] += 1
