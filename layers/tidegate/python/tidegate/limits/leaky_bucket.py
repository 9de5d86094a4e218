"""`LeakyBucket`: a steady pace, with a short wait for those who are early."""

from __future__ import annotations

from dataclasses import dataclass, field

from tidegate.algorithms.decision import Rule
from tidegate.algorithms.leaky_bucket import Drain
from tidegate.limits.limit import Limit


@dataclass(frozen=True, slots=True)
class LeakyBucket(Limit):
    """A limit that shapes: requests start at a steady pace, and wait for their turn if it is near.

    Args:
        rate: starts in a period.
        max_wait: the longest that a request waits; one that would have to wait longer is refused with that time.

    The other arguments are every `Limit`'s. A waiting request occupies its Lambda environment, and is billed.

    Raises:
        ConfigurationError: the rate or the wait can't be read, or the wait is above 10 s.
    """

    rate: str
    max_wait: str = "250ms"
    drain: Drain = field(init=False)

    def __post_init__(self) -> None:
        Limit.__post_init__(self)
        wait_us = self._duration_us("max_wait", self.max_wait)
        if wait_us > 10_000_000:
            raise self._wrong("max_wait", f"{self.max_wait!r} holds a request for too long; write at most '10s'")
        object.__setattr__(self, "drain", Drain(self._rate(self.rate).interval_us, wait_us))

    @property
    def numbers(self) -> str:
        """The rate."""
        return "".join(self.rate.split())

    @property
    def window_s(self) -> int:
        """The seconds in which all that may wait has started."""
        return max(1, -(-(self.drain.max_wait_us + self.drain.interval_us) // 1_000_000))

    @property
    def quota(self) -> int:
        """As many starts as fit into them."""
        return max(1, self.window_s * 1_000_000 // self.drain.interval_us)

    def rule(self, now_us: int, zone: str | None = None) -> Rule:
        """Return the drain."""
        del now_us, zone
        return self.drain
