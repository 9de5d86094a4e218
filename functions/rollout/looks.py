"""The judge's looks: each takes what was counted since the last one as a time bucket, and keeps all of them.

The state of a look is a document: `seen`, each function's versions with all that was counted so far, and `buckets`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from functions.rollout import counted
from functions.rollout.counted import Counting
from functions.rollout.judge import TimeBucket, VersionCounts
from functions.rollout.order import Target

# What stable did before the release tells how slow its requests usually are.
PAST_S = 600
_NOTHING = VersionCounts()
Looks = dict[str, Any]


def first(counting: Counting, moving: Sequence[Target], stable: Mapping[str, str], now_s: int) -> Looks:
    """Look before any weight: the past of the stable version."""
    seen = _seen(counting, moving, stable, now_s - PAST_S)
    past = _sum(seen, stable)
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
    seen = _seen(counting, moving, stable, looks["since"])
    before = {
        name: {version: counted.of_document(counts) for version, counts in versions.items()}
        for name, versions in looks["seen"].items()
    }
    fresh = {
        name: {
            version: counted.less(counts, before.get(name, {}).get(version, _NOTHING)) for version, counts in v.items()
        }
        for name, v in seen.items()
    }
    canary = {target.name: target.version for target in moving}
    bucket = TimeBucket(*at, _sum(fresh, stable), _sum(fresh, canary))
    return {**looks, "seen": _seen_document(seen), "buckets": [*looks["buckets"], counted.bucket_document(bucket)]}


def buckets(looks: Mapping[str, Any]) -> tuple[TimeBucket, ...]:
    """Return all buckets in order of time."""
    return tuple([counted.bucket_of(document) for document in looks.get("buckets", [])])


def _seen(
    counting: Counting, moving: Sequence[Target], stable: Mapping[str, str], since_s: int
) -> dict[str, dict[str, VersionCounts]]:
    return {
        target.name: dict(counting.since(target.name, (stable[target.name], target.version), since_s))
        for target in moving
    }


def _less(now: Mapping[str, VersionCounts], before: Mapping[str, VersionCounts]) -> dict[str, VersionCounts]:
    return {version: counted.less(counts, before.get(version, _NOTHING)) for version, counts in now.items()}


def _seen_document(seen: Mapping[str, Mapping[str, VersionCounts]]) -> dict[str, dict[str, Any]]:
    return {name: {v: counted.as_document(counts) for v, counts in versions.items()} for name, versions in seen.items()}


def _sum(seen: Mapping[str, Mapping[str, VersionCounts]], versions: Mapping[str, str]) -> VersionCounts:
    """Add the functions up, each in one version."""
    total = _NOTHING
    for name, counts in seen.items():
        total = total.plus(counts.get(versions[name], _NOTHING))
    return total
