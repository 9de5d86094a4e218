"""The judge's looks: each makes a time bucket of the counts since the last one, and adds it to the others.

The state of a look is a document: `buckets`; `seen`, the counts of each function's versions in each minute; and
`targets`, the requests of stable that may be replayed. Counts are never taken back: if a new reader starts during an
outage of Redis, or Redis comes back empty, the larger counts stand, so that none counts twice later.

The state is bounded, however long a release lasts: judged buckets are folded into the evidence (kept_evidence.py),
older ones are merged, and minutes that can't change any more are forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

from functions.rollout import counted, kept_evidence
from functions.rollout import judge as judging
from functions.rollout.counted import Counting
from functions.rollout.judge import Evidence, Plan, TimeBucket, VersionCounts
from functions.rollout.order import Target

# The time before a release that shows how slow stable's requests usually are.
PAST_S = 600
# Counts may be late by a retry or two; later ones are ignored.
_LATE_S = 900
# The minutes of an hour, as the report has no finer resolution.
MOST_BUCKETS = 60
# The bound of different requests that are replayed.
MOST_TARGETS = 50
_NOTHING = VersionCounts()
Looks = dict[str, Any]
# The counts by function and version: in each minute since the epoch, and in all.
Seen = Mapping[tuple[str, str], Mapping[int, VersionCounts]]
Totals = Mapping[tuple[str, str], VersionCounts]


def first(counting: Counting, moving: Sequence[Target], stable: Mapping[str, str], now_s: int) -> Looks:
    """Make the first look, before the canary has any weight: the past of stable."""
    seen = _seen(counting, moving, stable, now_s - PAST_S)
    past = _sum(_totals(seen), stable)
    bucket = TimeBucket(now_s - PAST_S, 0, 0.0, past, _NOTHING)
    return {
        "since": now_s - PAST_S,
        "seen": _seen_document(seen),
        "buckets": [counted.bucket_document(bucket)] if past.warm.requests else [],
        "targets": _targets(seen, stable, {}),
    }


def again(
    looks: Looks, counting: Counting, moving: Sequence[Target], stable: Mapping[str, str], at: tuple[int, int, float]
) -> Looks:
    """Make the next look; `at`: when the bucket began (epoch seconds), the step and the canary's weight."""
    since = max(looks["since"], at[0] - _LATE_S)
    before = _from_minute(_seen_of(looks["seen"]), since // 60)
    read = _seen(counting, moving, stable, since)
    seen, targets = _most(read, before), _targets(read, stable, looks.get("targets", {}))
    fresh = _less(_totals(seen), _totals(before))
    canary = {target.name: target.version for target in moving}
    bucket = TimeBucket(*at, _sum(fresh, stable), _sum(fresh, canary))
    kept = [*looks["buckets"], counted.bucket_document(bucket)]
    return {**looks, "since": since, "seen": _seen_document(seen), "buckets": kept, "targets": targets}


def _targets(seen: Seen, stable: Mapping[str, str], before: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """List stable's replayable requests by function, at most `MOST_TARGETS` of each."""
    found = {name: set(before.get(name, ())) for name in stable}
    for (name, version), minutes in seen.items():
        if version == stable.get(name):
            found[name].update(*[counts.warm.targets for counts in minutes.values()])
    return {name: sorted(targets)[:MOST_TARGETS] for name, targets in found.items() if targets}


def weighed(looks: Looks, plan: Plan) -> tuple[Evidence, Looks]:
    """Fold the new buckets into the evidence, and merge older ones if there are too many."""
    fresh = looks["buckets"][looks.get("folded", 0) :]
    known = kept_evidence.of_document(looks["known"]) if "known" in looks else None
    evidence = judging.weigh(plan, [counted.bucket_of(document) for document in fresh], known)
    kept = [counted.bucket_document(bucket) for bucket in coarser(buckets(looks))]
    document = kept_evidence.as_document(evidence)
    return evidence, {**looks, "known": document, "buckets": kept, "folded": len(kept)}


def coarser(buckets: Sequence[TimeBucket], most: int = MOST_BUCKETS) -> list[TimeBucket]:
    """Merge neighbours of the same step and weight, two by two, until they are few enough or none can be merged."""
    kept = list(buckets)
    while len(kept) > most:
        merged = _halved(kept)
        if len(merged) == len(kept):
            return kept
        kept = merged
    return kept


def _halved(buckets: Sequence[TimeBucket]) -> list[TimeBucket]:
    merged = list[TimeBucket]()
    alone = False
    for bucket in buckets:
        if alone and (merged[-1].step, merged[-1].percent) == (bucket.step, bucket.percent):
            first = merged[-1]
            merged[-1] = first._replace(
                stable=first.stable.plus(bucket.stable), canary=first.canary.plus(bucket.canary)
            )
            alone = False
        else:
            merged.append(bucket)
            alone = True
    return merged


def buckets(looks: Mapping[str, Any]) -> tuple[TimeBucket, ...]:
    """Return all buckets in order of time."""
    return tuple([counted.bucket_of(document) for document in looks.get("buckets", [])])


def _seen(counting: Counting, moving: Sequence[Target], stable: Mapping[str, str], since_s: int) -> Seen:
    return {
        (target.name, version): dict(counting.by_minute(target.name, version, since_s))
        for target in moving
        for version in (stable[target.name], target.version)
    }


def _from_minute(seen: Seen, first: int) -> Seen:
    return {
        of: {minute: counts for minute, counts in minutes.items() if minute >= first} for of, minutes in seen.items()
    }


def _most(now: Seen, before: Seen) -> Seen:
    """Keep the larger counts of each minute."""
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
    """Add up the functions' counts, each of one version."""
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
