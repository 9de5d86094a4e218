"""How long this environment has been without Redis, which it reports to Redis at its return."""

from __future__ import annotations

from tidegate.clock import Clock, Moment
from tidegate.stores.redis.refill_clock import OutageReport

# An environment with requests probes a lost store at least once in this time (see `Breaker`), unless it is frozen.
PROBED_EVERY_US = 1_200_000


class OutageTimer:
    """Measures an outage of a store, as this environment has seen it.

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
        """Note that the fleet lost the store earlier than this environment: so many microseconds ago."""
        if self.since is not None and us_ago > self._since(self.since):
            self.since = self._now().plus(-us_ago)

    def returned(self) -> None:
        """Note that the outage was reported to the store."""
        self.since = self._latest = None

    @property
    def report(self) -> OutageReport:
        """The report to send to the store."""
        if self.since is None or self._latest is None:
            return OutageReport()
        away = self._since(self.since)
        return OutageReport(max(1, away), min(away, away - self._since(self._latest) + PROBED_EVERY_US))

    def _now(self) -> Moment:
        return Moment(self._clock.monotonic(), self._clock.wall_us())

    def _since(self, moment: Moment) -> int:
        """Return the microseconds since a moment, by the clock that shows more: one may stop in a frozen sandbox."""
        return max(
            int((self._clock.monotonic() - moment.monotonic) * 1_000_000), self._clock.wall_us() - moment.wall_us
        )
