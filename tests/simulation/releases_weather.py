"""The weather that a simulated release has: what both versions share, and what is wrong with the canary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

# Latency is a mixture of lognormals: (share, median in ms, sigma of the logarithm).
Mix = tuple[tuple[float, float, float], ...]
API: Mix = ((1.0, 40.0, 0.6),)
BIMODAL: Mix = ((0.955, 5.0, 0.2), (0.045, 200.0, 0.3))
HEAVY: Mix = ((0.9, 30.0, 0.8), (0.1, 300.0, 1.3))
RARE = "GET /v1/rare"


def _steady(_: float) -> float:
    return 1.0


def _never(_: float) -> float:
    return 0.0


class Regression(NamedTuple):
    """What is wrong with the canary.

    Attributes:
        errors: times stable's own error rate.
        extra: this share of its requests fails besides.
        latency: times stable's latency.
        mix: its latencies; None: stable's.
        from_s: from this second of the release on.
        every_s, lasts_s: only so long in each period; 0: always.
        rare: whether the rare route fails wholly.
    """

    errors: float = 1.0
    extra: float = 0.0
    latency: float = 1.0
    mix: Mix | None = None
    from_s: float = 0.0
    every_s: float = 0.0
    lasts_s: float = 0.0
    rare: bool = False

    def share_of(self, start_s: float, length_s: float) -> float:
        """In how much of a stretch of time it shows."""
        if self.every_s:
            middle = (start_s + length_s / 2 - self.from_s) % self.every_s
            return float(start_s >= self.from_s and middle < self.lasts_s)
        return min(1.0, max(0.0, (start_s + length_s - self.from_s) / length_s))


@dataclass
class Weather:
    """One release's.

    Attributes:
        per_s: requests a second.
        base: the share of failures, each by itself.
        mix: latencies.
        mean: the share of failures on average, where it isn't `base` alone.
        traffic, errors, latency: by the second: times what is usual.
        outages: (from, to, share of all requests that fail).
        client: the share of the traffic that always fails: one bad client.
        cold: an environment's latency is so many times the usual in its first so many seconds.
        moments: environments fail wholly for (shortest, longest) seconds, in such a share of their time.
        rare: the share of a route that is rarely called.
        shed: by the second: the share that is refused.
        retries: how often a failed request is tried again.
        lost, twice: shares of environments' reports.
        resets: Redis comes back empty in these seconds.
        lag: shares of stable's and the canary's counts that arrive a look later.
        alarms: whether CloudWatch's are an input.
        bad: what is wrong with the canary; None: nothing.
    """

    per_s: float
    base: float = 0.005
    mix: Mix = API
    mean: float | None = None
    traffic: Callable[[float], float] = _steady
    errors: Callable[[float], float] = _steady
    latency: Callable[[float], float] = _steady
    outages: tuple[tuple[float, float, float], ...] = ()
    client: float = 0.0
    cold: tuple[float, float] = (1.0, 0.0)
    moments: tuple[float, float, float] | None = None
    rare: float = 0.0
    shed: Callable[[float], float] = _never
    retries: int = 0
    lost: float = 0.0
    twice: float = 0.0
    resets: tuple[float, ...] = ()
    lag: tuple[float, float] = (0.0, 0.0)
    alarms: bool = False
    bad: Regression | None = field(default=None)

    @property
    def usual(self) -> float:
        """The share of failures on average, without outages."""
        mean = self.base if self.mean is None else self.mean
        return mean + self.client + (self.moments[0] if self.moments else 0.0)

    def outage(self, start_s: float, length_s: float) -> float:
        """What share of a stretch's requests fails in outages."""
        return sum(
            share * max(0.0, min(to_s, start_s + length_s) - max(from_s, start_s)) / length_s
            for from_s, to_s, share in self.outages
        )
