"""How long to pause before a retry: exponential, with full jitter.

The jitter is the point: clients that failed together must not come back together (Marc Brooker, "Exponential Backoff
And Jitter", AWS Architecture Blog, 2015, whose "full jitter" had the fewest calls in all).
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from tidegate.errors import ConfigurationError

_MOST_DOUBLINGS = 60


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff.

    Attributes:
        first_s: the longest first pause, in seconds.
        longest_s: the longest pause of all, in seconds.

    Raises:
        ConfigurationError: a time is not above zero, or the first is longer than the longest.
    """

    first_s: float = 0.2
    longest_s: float = 20.0

    def __post_init__(self) -> None:
        try:
            grows = 0 < self.first_s <= self.longest_s
        except TypeError:
            grows = False
        if not grows:
            raise ConfigurationError("Backoff", f"{self!r} doesn't grow; write 0 < first_s <= longest_s")

    def ceiling_s(self, retry: int) -> float:
        """Return the longest pause before a retry; the first retry is number 0."""
        return float(min(self.longest_s, self.first_s * 2 ** min(retry, _MOST_DOUBLINGS)))

    def pause_s(self, retry: int, random: Random) -> float:
        """Draw the pause before a retry, uniformly from 0 to the ceiling, in seconds."""
        return random.uniform(0, self.ceiling_s(retry))
