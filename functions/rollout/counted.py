"""What the applications counted, as the judge takes it, and how it is kept between two looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from functions.rollout.judge import Counts, TimeBucket, VersionCounts
from tidegate.algorithms.histogram import Histogram


class Counting(Protocol):
    """Reads what environments have sent about the requests that they served."""

    def by_minute(self, function: str, version: str, start_s: int) -> Mapping[int, VersionCounts]:
        """Return a version's requests by the epoch's minute, since that of a time (epoch seconds)."""
        ...


def less(now: VersionCounts, before: VersionCounts) -> VersionCounts:
    """Return what was counted since; a store that has lost counts gives less than nothing, which is nothing."""
    return VersionCounts(_less(now.warm, before.warm), _less(now.cold, before.cold))


def most(now: VersionCounts, before: VersionCounts) -> VersionCounts:
    """Return what was counted at most: counters only grow, and a store that has less has lost some."""
    return VersionCounts(_most(now.warm, before.warm), _most(now.cold, before.cold))


def _most(now: Counts, before: Counts) -> Counts:
    bins = now.latency.counts.keys() | before.latency.counts.keys()
    latency = {at: max(now.latency.counts.get(at, 0), before.latency.counts.get(at, 0)) for at in sorted(bins)}
    return Counts(
        max(now.requests, before.requests),
        max(now.server_errors, before.server_errors),
        max(now.timeouts, before.timeouts),
        Histogram(latency),
    )


def _less(now: Counts, before: Counts) -> Counts:
    known = before.latency.counts
    latency = {at: n - known.get(at, 0) for at, n in now.latency.counts.items() if n > known.get(at, 0)}
    server_errors, timeouts = (
        max(0, a - b) for a, b in ((now.server_errors, before.server_errors), (now.timeouts, before.timeouts))
    )
    requests = max(now.requests - before.requests, server_errors + timeouts)
    return Counts(requests, server_errors, timeouts, Histogram(latency))


def as_document(counts: VersionCounts) -> list[Any]:
    """Make it JSON."""
    return [
        [of.requests, of.server_errors, of.timeouts, {str(at): n for at, n in of.latency.counts.items()}]
        for of in counts
    ]


def of_document(document: Sequence[Any]) -> VersionCounts:
    """Read what `as_document` wrote."""
    return VersionCounts(*[_counts(*fields) for fields in document])


def _counts(requests: int, server_errors: int, timeouts: int, latency: Mapping[str, int]) -> Counts:
    return Counts(requests, server_errors, timeouts, Histogram({int(at): n for at, n in latency.items()}))


def bucket_document(bucket: TimeBucket) -> list[Any]:
    """Make a bucket JSON."""
    return [bucket.start_s, bucket.step, bucket.percent, as_document(bucket.stable), as_document(bucket.canary)]


def bucket_of(document: Sequence[Any]) -> TimeBucket:
    """Read what `bucket_document` wrote."""
    start_s, step, percent, stable, canary = document
    return TimeBucket(start_s, step, percent, of_document(stable), of_document(canary))
