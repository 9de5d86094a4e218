"""The clock that the rest of Tidegate reads, so that tests can replace it."""

from __future__ import annotations

import time
from typing import NamedTuple, Protocol


class Clock(Protocol):
    """Where the time comes from."""

    def wall_us(self) -> int:
        """Microseconds since the Unix epoch, comparable (within clock skew) between environments."""

    def monotonic(self) -> float:
        """Seconds that only grow, for waits and durations inside this environment."""


class SystemClock:
    """The machine's own clocks."""

    # Read a dozen times a request, so without another call around it.
    monotonic = staticmethod(time.monotonic)

    def wall_us(self) -> int:
        """Microseconds since the Unix epoch."""
        return time.time_ns() // 1000


class Moment(NamedTuple):
    """A point in time on both clocks, since one may stop while the environment is frozen."""

    monotonic: float
    wall_us: int

    def us_until(self, later: Moment) -> int:
        """Return the microseconds to a later moment, by the clock that shows fewer."""
        return min(int((later.monotonic - self.monotonic) * 1_000_000), later.wall_us - self.wall_us)

    def precedes(self, other: Moment) -> bool:
        """Return whether it is earlier by one of the clocks."""
        return self.monotonic < other.monotonic or self.wall_us < other.wall_us

    def plus(self, us: int) -> Moment:
        """Return the moment so many microseconds later."""
        return Moment(self.monotonic + us / 1_000_000, self.wall_us + us)
