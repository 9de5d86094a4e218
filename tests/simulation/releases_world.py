"""Simulated releases: traffic, errors and latencies of two versions in the same minutes."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import cache
from math import exp, log
from statistics import NormalDist

from functions.rollout.judge import Counts, TimeBucket, VersionCounts
from tests.simulation.releases_draws import Shape, poisson
from tidegate.algorithms.histogram import Histogram, bin_of, lowest_us

REQUESTS_PER_S = (0.1, 1.0, 10.0, 100.0, 1000.0)
BASE_ERRORS = (0.0, 0.001, 0.005, 0.01, 0.02)
# Median in ms and sigma of the logarithm: a cache, an API, and a slow one with a long tail.
PROFILES = ((8.0, 0.3), (40.0, 0.6), (120.0, 1.0))
# The tail that makes p95 four times what it was and leaves the median: so many requests are slow.
TAIL = 0.12
# Shared trouble: so many minutes are bad, with so many more errors, and twice the latency, in both versions.
BAD_MINUTES, BAD_ERRORS, BAD_LATENCY = 0.1, 0.1, 2.0
ERRORS_AT_BASE_0 = 0.05


@dataclass(frozen=True)
class Kind:
    """What the canary is like beside stable.

    Attributes:
        name: as the table names it.
        good: whether it is to be promoted.
        errors: times stable's error rate; above 2, at a base of 0, it is 5 %.
        latency: times stable's latency.
        tail: times stable's latency in a share TAIL of the requests; 0: such that p95 is exactly 4 times stable's.
        bursts: whether both versions have bad minutes and error rates that vary by the minute.
        from_step: from which step on it is bad.
    """

    name: str
    good: bool
    errors: float = 1.0
    latency: float = 1.0
    tail: float = 1.0
    bursts: bool = False
    from_step: int = 0


KINDS = (
    Kind("same", good=True),
    Kind("small drifts", good=True, errors=1.25, latency=1.15),
    Kind("shared bursts", good=True, bursts=True),
    Kind("errors x4", good=False, errors=4),
    Kind("errors x4 in shared bursts", good=False, errors=4, bursts=True),
    Kind("p95 x4, p50 x1", good=False, tail=0),
    Kind("p50 and p95 x4", good=False, latency=4),
    Kind("errors x4 at 50 % only", good=False, errors=4, from_step=2),
)


@cache
def shape(median_ms: float, sigma: float, tail: float) -> Shape:
    """Cut a lognormal distribution, a share TAIL of which is slower, into bins."""
    body = NormalDist(log(median_ms * 1000), sigma)
    slow = NormalDist(body.mean + log(tail), sigma)

    def below(us: int) -> float:
        return (1 - TAIL) * body.cdf(log(max(us, 1))) + TAIL * slow.cdf(log(max(us, 1)))

    last = bin_of(int(median_ms * 1000 * max(tail, 1) * exp(4.5 * sigma)))
    first = bin_of(int(median_ms * 1000 * exp(-4.5 * sigma)))
    shares = [(n, below(lowest_us(n + 1)) - below(lowest_us(n))) for n in range(first, last + 1)]
    total = sum(share for _, share in shares)
    return Shape([(number, share / total) for number, share in shares])


@cache
def tail_for_p95(sigma: float, times: float) -> float:
    """By how much a share TAIL must be slower for a p95 of so many times what it was."""
    z = NormalDist().inv_cdf(0.95) + log(times) / sigma
    beyond = 0.05 - (1 - TAIL) * (1 - NormalDist().cdf(z))
    return float(
        times * 2.718281828 ** (sigma * (NormalDist().inv_cdf(0.95) - NormalDist().inv_cdf(1 - beyond / TAIL)))
    )


@dataclass
class Release:
    """One simulated release; `bucket` draws what its versions counted in a stretch of time."""

    kind: Kind
    requests_per_s: float
    base_errors: float
    profile: tuple[float, float]
    seed: str
    rng: random.Random = field(init=False)
    _minutes: dict[int, tuple[float, float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    def bucket(self, step: int, percent: float, start_s: int, length_s: int) -> TimeBucket:
        """Draw one; a bucket lies within one minute."""
        times, more, slower = self._minute(start_s // 60)
        bad = step >= self.kind.from_step
        errors = min(0.95, self.base_errors * times + more)
        canary_errors = min(0.95, errors * (self.kind.errors if bad else 1))
        if bad and self.kind.errors > 2 and not self.base_errors:
            canary_errors = max(canary_errors, ERRORS_AT_BASE_0)
        median_ms, sigma = self.profile
        tail = (self.kind.tail or tail_for_p95(sigma, 4)) if bad else 1.0
        usual = shape(median_ms * slower, sigma, 1.0)
        own = shape(median_ms * slower * (self.kind.latency if bad else 1), sigma, tail)
        canary = self.requests_per_s * length_s * percent / 100
        stable = self.requests_per_s * length_s - canary
        return TimeBucket(
            start_s, step, percent, self._counts(stable, errors, usual), self._counts(canary, canary_errors, own)
        )

    def _counts(self, mean: float, errors: float, latency: Shape) -> VersionCounts:
        failed = poisson(self.rng, mean * errors) if errors else 0
        histogram = Histogram(latency.draw(self.rng, mean * (1 - errors)))
        timeouts = failed // 5
        return VersionCounts(Counts(failed + histogram.total, failed - timeouts, timeouts, histogram))

    def _minute(self, minute: int) -> tuple[float, float, float]:
        """What both versions share: times the errors, plus errors, times the latency."""
        if not self.kind.bursts:
            return 1.0, 0.0, 1.0
        if minute not in self._minutes:
            bad = self.rng.random() < BAD_MINUTES
            self._minutes[minute] = (
                self.rng.gammavariate(2, 0.5),
                BAD_ERRORS if bad else 0.0,
                BAD_LATENCY if bad else 1.0,
            )
        return self._minutes[minute]
