"""When this environment lost a store, so that it can say at its return for how long it was away."""

from __future__ import annotations

from tidegate.algorithms.standstill import Absence
from tidegate.clock import Clock
from tidegate.stores.debts import Moment

# A store that is asked for is probed at least once in this time (see `Breaker`); who doesn't probe it sleeps.
PROBED_EVERY_US = 1_200_000


class Away:
    """The time since a store failed, for as long as it does.

    Args:
        clock: where the time comes from.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._latest: Moment | None = None
        self.since: Moment | None = None

    def failed(self) -> None:
        """Note that the store failed now."""
        self._latest = self._now()
        self.since = self.since or self._latest

    def began(self, us_ago: int) -> None:
        """Note that the fleet lost the store so long ago, as another store tells."""
        if self.since is not None and us_ago > self._since(self.since):
            self.since = self._now().plus(-us_ago)

    def returned(self) -> None:
        """Note that the store knows of the absence."""
        self.since = self._latest = None

    @property
    def absence(self) -> Absence:
        """What to tell the store."""
        if self.since is None or self._latest is None:
            return Absence()
        away = self._since(self.since)
        return Absence(max(1, away), min(away, away - self._since(self._latest) + PROBED_EVERY_US))

    def _now(self) -> Moment:
        return Moment(self._clock.monotonic(), self._clock.wall_us())

    def _since(self, moment: Moment) -> int:
        """Microseconds, by the clock that makes it more: one of them may have stood still while we were frozen."""
        return max(
            int((self._clock.monotonic() - moment.monotonic) * 1_000_000), self._clock.wall_us() - moment.wall_us
        )
