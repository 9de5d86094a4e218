"""The judge's input: the application's counts, per version, in the same spans of time."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from functions.rollout.judge.histogram import Histogram


class RouteCounts(NamedTuple):
    """One route's requests, and how many of them failed."""

    requests: int = 0
    failed: int = 0

    def plus(self, other: RouteCounts) -> RouteCounts:
        """Return the sum of both."""
        return RouteCounts(self.requests + other.requests, self.failed + other.failed)


class Spread(NamedTuple):
    """How requests and failures are spread over the environments: sums over all environments' half minutes.

    Both are 0 if the version's library doesn't count them.

    Attributes:
        requests: the sum of the squares of an environment's requests in a half minute.
        failed: the sum of the squares of its failures.
    """

    requests: int = 0
    failed: int = 0

    def plus(self, other: Spread) -> Spread:
        """Return the sum of both."""
        return Spread(self.requests + other.requests, self.failed + other.failed)


_NO_ROUTES: Mapping[str, RouteCounts] = MappingProxyType({})


class Counts(NamedTuple):
    """Requests of one version in one span of time.

    Attributes:
        requests: those that the version ran for clients.
        server_errors: those with a 5xx as response.
        timeouts: those without a response, because the function timed out.
        latency: of those with a response other than 5xx, in microseconds.
        refused: further requests, which were shed or limited; they are no version's failure.
        spread: how requests and failures are spread over the environments.
        routes: requests and failures by route; not to be changed.
        replayed: further requests, which the release itself sent; both versions get the same ones.
        targets: the paths of requests that may be replayed.
    """

    requests: int = 0
    server_errors: int = 0
    timeouts: int = 0
    latency: Histogram = Histogram()
    refused: int = 0
    spread: Spread = Spread()
    routes: Mapping[str, RouteCounts] = _NO_ROUTES
    replayed: Counts | None = None
    targets: frozenset[str] = frozenset()

    @property
    def failed(self) -> int:
        """The requests that failed: server errors and timeouts."""
        return self.server_errors + self.timeouts

    def plus(self, other: Counts) -> Counts:
        """Return the sum of both."""
        mine, others = self.replayed, other.replayed
        return Counts(
            self.requests + other.requests,
            self.server_errors + other.server_errors,
            self.timeouts + other.timeouts,
            self.latency.merged(other.latency),
            self.refused + other.refused,
            self.spread.plus(other.spread),
            routes_together(self.routes, other.routes),
            mine.plus(others) if mine and others else mine or others,
            self.targets | other.targets,
        )


def routes_together(some: Mapping[str, RouteCounts], more: Mapping[str, RouteCounts]) -> Mapping[str, RouteCounts]:
    """Return the sum of both, route by route."""
    if not more or not some:
        return some or more
    return {**some, **{name: some[name].plus(of) if name in some else of for name, of in more.items()}}


class VersionCounts(NamedTuple):
    """One version's requests; each environment's first one, its cold start, is counted apart.

    A canary's environments are all new, so cold requests would compare the ages of two fleets, not two versions. The
    comparison is of warm requests, and the absolute guard is on all.
    """

    warm: Counts = Counts()
    cold: Counts = Counts()

    @property
    def replayed(self) -> Counts:
        """The requests that the release itself sent."""
        return self.warm.replayed or Counts()

    def plus(self, other: VersionCounts) -> VersionCounts:
        """Return the sum of both."""
        return VersionCounts(self.warm.plus(other.warm), self.cold.plus(other.cold))


class TimeBucket(NamedTuple):
    """Both versions' counts in one past span of time.

    Attributes:
        start_s: when it began; epoch seconds.
        step: the plan's step, from 0.
        percent: the canary's weight.
        stable: the counts of the version in force.
        canary: the counts of the new version.
    """

    start_s: int
    step: int
    percent: float
    stable: VersionCounts
    canary: VersionCounts
