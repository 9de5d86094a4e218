"""The pace of a backfill's writes: never more of them in a second than are allowed, whoever writes and was killed."""

from __future__ import annotations

import math
from threading import Lock

from functions.migrate.clock import Clock
from functions.migrate.journal import Reserved


def allowed(writes_per_s: float) -> bool:
    """Tell whether that is a rate: something may be written, and there is a bound."""
    return writes_per_s > 0 and math.isfinite(writes_per_s) and math.isfinite(1 / writes_per_s)


class Pace:
    """Says to each write when it may begin: so long after the one before as the rate wants it. Threads may share it.

    Args:
        clock: tells the time, and lets it pass.
        writes_per_s: the rate.
        before: what was written before, by runners of other invocations.

    Raises:
        ValueError: the rate is none.
    """

    def __init__(self, clock: Clock, writes_per_s: float, before: Reserved) -> None:
        if not allowed(writes_per_s):
            raise ValueError(f"writes_per_s is {writes_per_s!r}: it must be a finite number above 0")
        self._clock = clock
        self._each_s = 1 / writes_per_s
        owed_s = before.writes * self._each_s
        carried_s = before.since_s + owed_s - clock.wall_s()
        # No more than is owed: the wall's clock may have been set.
        self._free_s = clock.monotonic_s() + min(max(0.0, carried_s), owed_s)
        self._last = before
        self._turns = Lock()

    @property
    def wait_s(self) -> float:
        """So long the next write has to wait."""
        return max(0.0, self._free_s - self._clock.monotonic_s())

    @property
    def last(self) -> Reserved:
        """What has to be known of it by whoever goes on."""
        return self._last

    def startable(self, within_s: float) -> int:
        """Count the writes that may begin within a time."""
        wait_s = self.wait_s
        return 0 if wait_s > within_s else int((within_s - wait_s) / self._each_s) + 1

    def reserve(self, writes: int) -> Reserved:
        """Say what is going to be written, to be written down before it is: who dies meanwhile has used it up."""
        return Reserved(self._clock.wall_s() + self.wait_s, writes)

    def turn(self) -> None:
        """Wait for a write's turn, and take it."""
        with self._turns:  # who waits has the next turn: nobody else's can come before
            self.rest(math.inf)
            self._last = Reserved(self._clock.wall_s(), 1)
            self._free_s = self._clock.monotonic_s() + self._each_s

    def rest(self, most_s: float) -> None:
        """Wait until the next write might begin, or as long as there is time."""
        wait_s = min(self.wait_s, most_s)
        if wait_s > 0:
            self._clock.sleep(wait_s)
