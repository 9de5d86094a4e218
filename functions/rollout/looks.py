"""The judge's looks: each takes what was counted since the last one as a time bucket, and keeps all of them.

The state of a look is a document: `buckets`, and `seen`, what each function's versions counted in each minute. What
was seen once stays seen: a reader that is new while Redis is away, or a Redis that is back and empty, takes nothing
back, so that nothing counts twice when it is there again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

from functions.rollout import counted
from functions.rollout.counted import Counting
from functions.rollout.judge import TimeBucket, VersionCounts
from functions.rollout.order import Target

# What stable did before the release tells how slow its requests usually are.
PAST_S = 600
_NOTHING = VersionCounts()
Looks = dict[str, Any]
# By function and version: what was counted in each of the epoch's minutes, and in all of them.
Seen = Mapping[tuple[str, str], Mapping[int, VersionCounts]]
Totals = Mapping[tuple[str, str], VersionCounts]


def first(counting: Counting, moving: Sequence[Target], stable: Mapping[str, str], now_s: int) -> Looks:
    """Look before any weight: the past of the stable version."""
    seen = _seen(counting, moving, stable, now_s - PAST_S)
    past = _sum(_totals(seen), stable)
    bucket = TimeBucket(now_s - PAST_S, 0, 0.0, past, _NOTHING)
    return {
        "since": now_s - PAST_S,
        "seen": _seen_document(seen),
        "buckets": [counted.bucket_document(bucket)] if past.warm.requests else [],
    }


def again(
    looks: Looks, counting: Counting, moving: Sequence[Target], stable: Mapping[str, str], at: tuple[int, int, float]
) -> Looks:
    """Look now; `at`: when the bucket began (epoch seconds), the step and the canary's weight."""
    before = _seen_of(looks["seen"])
    seen = _most(_seen(counting, moving, stable, looks["since"]), before)
    fresh = _less(_totals(seen), _totals(before))
    canary = {target.name: target.version for target in moving}
    bucket = TimeBucket(*at, _sum(fresh, stable), _sum(fresh, canary))
    return {**looks, "seen": _seen_document(seen), "buckets": [*looks["buckets"], counted.bucket_document(bucket)]}


def buckets(looks: Mapping[str, Any]) -> tuple[TimeBucket, ...]:
    """Return all buckets in order of time."""
    return tuple([counted.bucket_of(document) for document in looks.get("buckets", [])])


def _seen(counting: Counting, moving: Sequence[Target], stable: Mapping[str, str], since_s: int) -> Seen:
    return {
        (target.name, version): dict(counting.by_minute(target.name, version, since_s))
        for target in moving
        for version in (stable[target.name], target.version)
    }


def _most(now: Seen, before: Seen) -> Seen:
    """Keep the most that was seen of each minute."""
    return {
        of: {
            minute: counted.most(now.get(of, {}).get(minute, _NOTHING), before.get(of, {}).get(minute, _NOTHING))
            for minute in sorted(now.get(of, {}).keys() | before.get(of, {}).keys())
        }
        for of in now.keys() | before.keys()
    }


def _totals(seen: Seen) -> Totals:
    return {of: reduce(VersionCounts.plus, minutes.values(), _NOTHING) for of, minutes in seen.items()}


def _less(now: Totals, before: Totals) -> Totals:
    return {of: counted.less(counts, before.get(of, _NOTHING)) for of, counts in now.items()}


def _sum(totals: Totals, versions: Mapping[str, str]) -> VersionCounts:
    """Add the functions up, each in one version."""
    return reduce(VersionCounts.plus, [totals.get(of, _NOTHING) for of in versions.items()], _NOTHING)


def _seen_document(seen: Seen) -> list[Any]:
    return [
        [*of, [[minute, counted.as_document(counts)] for minute, counts in minutes.items()]]
        for of, minutes in sorted(seen.items())
    ]


def _seen_of(document: Sequence[Any]) -> Seen:
    return {
        (function, version): {minute: counted.of_document(counts) for minute, counts in minutes}
        for function, version, minutes in document
    }
