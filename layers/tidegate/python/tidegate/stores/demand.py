"""What the fleet's callers demand, as far as this environment knows: from Redis, else from what comes to itself."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import NamedTuple

from tidegate.algorithms.shedding import Average, Demand
from tidegate.clock import Clock
from tidegate.criticality import Criticality

# A demand is averaged over so long, and over several runs where they are longer: one long run is no peak.
WINDOW_S = 2.0
_RUNS_IN_WINDOW = 4
_LONGEST_WINDOW_S = 60.0
# Between two reports; what an environment does in a tenth of a second is soon enough known to the others.
REPORT_EVERY_S = 0.1
# After that, what was heard of the fleet says less than what this environment sees.
BELIEVED_S = 2.0
_RUN_WEIGHT = 0.05
_NOTHING = Demand()


class Report(NamedTuple):
    """What an environment tells of itself.

    Attributes:
        work: seconds of work that came to it since its last report.
        window_s: over which the fleet's demand is to be averaged.
    """

    work: Demand
    window_s: float


class DemandView:
    """Measures what comes to this environment, tells it, and keeps what was heard of the whole fleet; thread-safe.

    Args:
        clock: where the time comes from.
        environments: how many are alive, for when only this one's own demand is known.
    """

    def __init__(self, clock: Clock, environments: Callable[[], int]) -> None:
        self._clock = clock
        self._environments = environments
        self._lock = Lock()
        self._run = Average()
        self._untold = Demand()
        self._told_at = clock.monotonic() - REPORT_EVERY_S
        self._own = Demand()
        self._own_at = clock.monotonic()
        self._heard: tuple[float, Demand] | None = None

    def came(self, criticality: Criticality, seconds: float) -> None:
        """Note work that arrived, done or not; negative takes back what turned out to be none."""
        now, work = self._clock.monotonic(), _NOTHING.plus(criticality, seconds)
        with self._lock:
            self._own = self._own.after(now - self._own_at, self._window_s, work)
            self._own_at = now
            self._untold = self._untold.plus(criticality, seconds)

    def ran(self, seconds: float) -> None:
        """Note how long a request took that ran."""
        with self._lock:
            self._run = self._run.with_sample(seconds, self._clock.monotonic(), _RUN_WEIGHT)

    @property
    def run_s(self) -> float:
        """How long a request takes that runs, on average; 0 as long as none has."""
        return self._run.value

    @property
    def fleet(self) -> Demand:
        """What the fleet's callers demand now."""
        now = self._clock.monotonic()
        with self._lock:
            if self._heard is not None and now - self._heard[0] < BELIEVED_S:
                return self._heard[1]
            own = self._own.after(now - self._own_at, self._window_s, _NOTHING)
        return own.times(self._environments())

    def due(self) -> Report | None:
        """Return what there is to tell, if the last report was long enough ago; it counts as told."""
        now = self._clock.monotonic()
        with self._lock:
            if now - self._told_at < REPORT_EVERY_S:
                return None
            report = Report(self._untold, self._window_s)
            self._untold, self._told_at = Demand(), now
            return report

    def heard(self, demand: Demand) -> None:
        """Note what the fleet's callers demand."""
        with self._lock:
            self._heard = (self._clock.monotonic(), demand)

    @property
    def _window_s(self) -> float:
        return min(_LONGEST_WINDOW_S, max(WINDOW_S, _RUNS_IN_WINDOW * self._run.value))
