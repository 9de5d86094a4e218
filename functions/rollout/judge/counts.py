"""What the judge is told: what the application counted, per version, in equal stretches of time."""

from __future__ import annotations

from typing import NamedTuple

from tidegate.algorithms.histogram import Histogram


class Counts(NamedTuple):
    """Requests of one version in one stretch of time.

    Attributes:
        requests: all of them.
        server_errors: answered with a 5xx.
        timeouts: never answered, because the function's time was over.
        latency: of those that were answered without a 5xx, in microseconds.
    """

    requests: int = 0
    server_errors: int = 0
    timeouts: int = 0
    latency: Histogram = Histogram()

    @property
    def failed(self) -> int:
        """How many got no useful answer."""
        return self.server_errors + self.timeouts

    def plus(self, other: Counts) -> Counts:
        """Count both together."""
        return Counts(
            self.requests + other.requests,
            self.server_errors + other.server_errors,
            self.timeouts + other.timeouts,
            self.latency.merged(other.latency),
        )


class VersionCounts(NamedTuple):
    """One version's requests; an environment's first one after its cold start is set apart.

    A canary's environments are all new, so that cold requests compare two fleets' ages, not two versions: the
    comparison is of the warm ones, the absolute guard is on all.
    """

    warm: Counts = Counts()
    cold: Counts = Counts()

    def plus(self, other: VersionCounts) -> VersionCounts:
        """Count both together."""
        return VersionCounts(self.warm.plus(other.warm), self.cold.plus(other.cold))


class TimeBucket(NamedTuple):
    """Both versions in the same stretch of time, which is over.

    Attributes:
        start_s: when it began; epoch seconds.
        step: the strategy's step, from 0.
        percent: the canary's weight.
        stable: the version in force.
        canary: the version on trial.
    """

    start_s: int
    step: int
    percent: float
    stable: VersionCounts
    canary: VersionCounts
