"""Time, as the rest of Tidegate reads it: one seam, so that tests can hold it still."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from."""

    def wall_us(self) -> int:
        """Microseconds since the Unix epoch, comparable (within clock skew) between environments."""

    def monotonic(self) -> float:
        """Seconds that only grow, for waits and durations inside this environment."""


class SystemClock:
    """The machine's own clocks."""

    # Asked a dozen times a request: without a call of ours around it.
    monotonic = staticmethod(time.monotonic)

    def wall_us(self) -> int:
        """Microseconds since the Unix epoch."""
        return time.time_ns() // 1000
