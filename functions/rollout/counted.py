"""The applications' counts in the judge's form: their arithmetic, and their JSON between two looks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from functions.rollout.judge import Counts, RouteCounts, Spread, TimeBucket, VersionCounts
from functions.rollout.judge.histogram import Histogram


class Counting(Protocol):
    """Reads the counts that environments have sent of the requests that they served."""

    def by_minute(self, function: str, version: str, start_s: int) -> Mapping[int, VersionCounts]:
        """Return a version's requests by minute since the epoch, from the minute of a time (epoch seconds) on."""
        ...


def less(now: VersionCounts, before: VersionCounts) -> VersionCounts:
    """Return the counts since `before`; never negative, even if a store has lost counts."""
    return VersionCounts(_less(now.warm, before.warm), _less(now.cold, before.cold))


def most(now: VersionCounts, before: VersionCounts) -> VersionCounts:
    """Return the larger of two counts: counters only grow, so a store with less has lost some."""
    return VersionCounts(_most(now.warm, before.warm), _most(now.cold, before.cold))


def _most(now: Counts, before: Counts) -> Counts:
    bins = now.latency.counts.keys() | before.latency.counts.keys()
    latency = {at: max(now.latency.counts.get(at, 0), before.latency.counts.get(at, 0)) for at in sorted(bins)}
    return Counts(
        max(now.requests, before.requests),
        max(now.server_errors, before.server_errors),
        max(now.timeouts, before.timeouts),
        Histogram(latency),
        max(now.refused, before.refused),
        Spread(*map(max, now.spread, before.spread)),
        _by_route(now, before, lambda some, other: RouteCounts(*map(max, some, other))),
        _most(now.replayed or Counts(), before.replayed or Counts()) if now.replayed or before.replayed else None,
    )


def _less(now: Counts, before: Counts) -> Counts:
    known = before.latency.counts
    latency = {at: n - known.get(at, 0) for at, n in now.latency.counts.items() if n > known.get(at, 0)}
    server_errors, timeouts = (
        max(0, a - b) for a, b in ((now.server_errors, before.server_errors), (now.timeouts, before.timeouts))
    )
    requests = max(now.requests - before.requests, server_errors + timeouts)
    return Counts(
        requests,
        server_errors,
        timeouts,
        Histogram(latency),
        max(0, now.refused - before.refused),
        Spread(*[max(0, a - b) for a, b in zip(now.spread, before.spread, strict=True)]),
        _by_route(now, before, _route_less),
        _less(now.replayed, before.replayed or Counts()) if now.replayed else None,
    )


def _route_less(now: RouteCounts, before: RouteCounts) -> RouteCounts:
    failed = max(0, now.failed - before.failed)
    return RouteCounts(max(now.requests - before.requests, failed), failed)


def _by_route(
    now: Counts, before: Counts, of: Callable[[RouteCounts, RouteCounts], RouteCounts]
) -> dict[str, RouteCounts]:
    """Combine the counts of each route; routes without a request are left out."""
    none = RouteCounts()
    names = sorted(now.routes.keys() | before.routes.keys())
    found = {name: of(now.routes.get(name, none), before.routes.get(name, none)) for name in names}
    return {name: counts for name, counts in found.items() if counts.requests}


def as_document(counts: VersionCounts) -> list[Any]:
    """Return counts as JSON."""
    return [counts_document(of) for of in counts]


def counts_document(of: Counts) -> list[Any]:
    """Return the warm or cold counts as JSON."""
    return [
        *(of.requests, of.server_errors, of.timeouts, {str(at): n for at, n in of.latency.counts.items()}),
        *(of.refused, list(of.spread), {name: list(route) for name, route in of.routes.items()}),
        counts_document(of.replayed) if of.replayed else None,
    ]


def of_document(document: Sequence[Any]) -> VersionCounts:
    """Read what `as_document` wrote, also in an earlier release."""
    return VersionCounts(*[counts_of(fields) for fields in document])


def counts_of(document: Sequence[Any]) -> Counts:
    """Read what `counts_document` wrote, also in an earlier release."""
    requests, server_errors, timeouts, latency, *besides = document
    refused, spread, routes, replayed = besides or (0, (0, 0), {}, None)
    return Counts(
        requests,
        server_errors,
        timeouts,
        Histogram({int(at): n for at, n in latency.items()}),
        refused,
        Spread(*spread),
        {name: RouteCounts(*counts) for name, counts in routes.items()},
        counts_of(replayed) if replayed else None,
    )


def bucket_document(bucket: TimeBucket) -> list[Any]:
    """Return a bucket as JSON."""
    return [bucket.start_s, bucket.step, bucket.percent, as_document(bucket.stable), as_document(bucket.canary)]


def bucket_of(document: Sequence[Any]) -> TimeBucket:
    """Read what `bucket_document` wrote."""
    start_s, step, percent, stable, canary = document
    return TimeBucket(start_s, step, percent, of_document(stable), of_document(canary))
