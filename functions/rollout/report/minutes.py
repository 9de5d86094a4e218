"""A release by the minute, for charts and tables."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import NamedTuple

from functions.rollout.judge import Counts, TimeBucket

MINUTE_S = 60


class Minute(NamedTuple):
    """Both versions' warm requests in one minute.

    Attributes:
        start_s: when it began; epoch seconds.
        percent: the canary's weight when it ended.
        stable, canary: the counts.
    """

    start_s: int
    percent: float
    stable: Counts
    canary: Counts


def by_minute(buckets: Iterable[TimeBucket]) -> list[Minute]:
    """Sum buckets, in order of time, by the minute of the clock; minutes without any are included."""
    minutes = list[Minute]()
    for number, group in groupby(buckets, lambda bucket: bucket.start_s // MINUTE_S):
        while minutes and minutes[-1].start_s < (number - 1) * MINUTE_S:
            minutes.append(Minute(minutes[-1].start_s + MINUTE_S, minutes[-1].percent, Counts(), Counts()))
        minutes.append(_minute(number, list(group)))
    return minutes


def _minute(number: int, buckets: list[TimeBucket]) -> Minute:
    stable, canary = Counts(), Counts()
    for bucket in buckets:
        stable, canary = stable.plus(bucket.stable.warm), canary.plus(bucket.canary.warm)
    return Minute(number * MINUTE_S, buckets[-1].percent, stable, canary)


def failed_share(counts: Counts) -> float | None:
    """Return the share of failed requests; None without requests."""
    return counts.failed / counts.requests if counts.requests else None


def p95_us(counts: Counts) -> int | None:
    """Return the p95 in microseconds; None if no latency was counted."""
    return counts.latency.quantile_us(0.95) if counts.latency.counts else None
