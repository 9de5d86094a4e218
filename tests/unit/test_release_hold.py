"""A release that holds for a day: what is kept of it is bounded, and the judge forgets nothing."""

from __future__ import annotations

import json
import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.rollout import kept_evidence, looks, verdicts
from functions.rollout.judge import Counts, Plan, Step, TimeBucket, VersionCounts, decide, judge, weigh
from functions.rollout.judge.histogram import Histogram
from functions.rollout.order import Target
from functions.rollout.reporting import verdict_document

API = Target("shop-api", "7", "http")
STABLE = {"shop-api": "6"}
PLAN = Plan(steps=(Step(10), Step(50, most_s=60, unproven="hold")))
BEGAN = 1_800_000_000
# DynamoDB's limit for an item, and how much of it what the judge saw may take.
MOST_BYTES = 400 * 1024


class Counting:
    """Counters of both versions that grow by the minute, with latencies over four decades."""

    def __init__(self):
        self._random = random.Random(7)
        self.minutes = {"6": {}, "7": {}}

    def count(self, now_s, requests):
        for minutes in self.minutes.values():
            latencies = [int(10 ** self._random.uniform(3, 7)) for _ in range(requests)]
            counts = VersionCounts(Counts(requests, 0, 0, Histogram.of(latencies)), Counts(1, 0, 0, Histogram()))
            minutes[now_s // 60] = minutes.get(now_s // 60, VersionCounts()).plus(counts)

    def by_minute(self, function, version, start_s):
        return {minute: of for minute, of in self.minutes[version].items() if minute >= start_s // 60}


def held(seconds, every_s, requests):
    """Hold for so long; returns all that was kept after each look, and how many requests there were."""
    counting, told, sent = Counting(), [], 0
    seen = looks.first(counting, (API,), STABLE, BEGAN)
    for now in range(BEGAN + every_s, BEGAN + seconds, every_s):
        counting.count(now - 1, requests)
        sent += requests
        seen = json.loads(json.dumps(looks.again(seen, counting, (API,), STABLE, (now - every_s, 1, 50))))
        evidence, seen = looks.weighed(seen, PLAN)
        verdict = decide(PLAN, evidence, 1, now - BEGAN)
        told = verdicts.kept(told, verdict_document(verdict)) if verdict else told
        yield seen, told, sent, evidence


@pytest.mark.parametrize(("seconds", "every_s", "requests"), [(86_400, 600, 60), (3_000, 30, 18)])
def test_however_long_it_holds_the_ledger_s_item_stays_small(seconds, every_s, requests):
    kept = list(held(seconds, every_s, requests))
    assert max(len(seen["buckets"]) for seen, *_ in kept) <= looks.MOST_BUCKETS + 1
    assert max(len(told) for _, told, *_ in kept) <= 24
    seen, told, sent, evidence = kept[-1]
    stored = len(zlib.compress(json.dumps(seen).encode())) + len(json.dumps(told))
    assert stored < MOST_BYTES / 2
    # Nothing is lost by it: every request is in a bucket, and in the evidence.
    assert sum(bucket.canary.warm.requests for bucket in looks.buckets(seen)) == sent
    assert (evidence.canary.requests, evidence.stable.requests) == (sent, sent)


counts = st.builds(
    lambda good, bad, slow: VersionCounts(
        Counts(good + bad, bad, 0, Histogram.of([slow] * good)), Counts(1, 0, 0, Histogram())
    ),
    st.integers(0, 40),
    st.integers(0, 5),
    st.sampled_from([2_000, 60_000]),
)


@given(st.lists(st.tuples(counts, counts), min_size=1, max_size=40), st.integers(0, 39))
def test_evidence_that_is_folded_look_by_look_is_the_same(pairs, steps_at):
    buckets = [
        TimeBucket(BEGAN + 10 * at, int(at >= steps_at), 10 if at < steps_at else 50, stable, canary)
        for at, (stable, canary) in enumerate(pairs)
    ]
    known = None
    for bucket in buckets:
        known = weigh(PLAN, [bucket], known)
        known = kept_evidence.of_document(json.loads(json.dumps(kept_evidence.as_document(known))))
    assert known == weigh(PLAN, buckets)


@given(st.lists(st.tuples(counts, st.sampled_from([(0, 10.0), (1, 50.0)])), max_size=80), st.integers(1, 20))
def test_coarser_buckets_add_up_to_the_same_in_each_step(made, most):
    buckets = [TimeBucket(at, step, percent, of, of) for at, (of, (step, percent)) in enumerate(made)]
    merged = looks.coarser(buckets, most)
    for step in (0, 1):
        before, after = (
            sum(bucket.canary.warm.requests for bucket in some if bucket.step == step) for some in (buckets, merged)
        )
        assert before == after
    assert [bucket.start_s for bucket in merged] == sorted({bucket.start_s for bucket in merged})


def test_of_verdicts_said_alike_the_first_and_the_last_are_kept():
    said = [(0, "inconclusive"), (0, "pass"), *[(1, "inconclusive")] * 5, (1, "fail")]
    kept = []
    for at, (step, outcome) in enumerate(said):
        kept = verdicts.kept(kept, {"step": step, "outcome": outcome, "then": None, "at": at})
    assert [verdict["at"] for verdict in kept] == [0, 1, 2, 6, 7]


def test_a_count_that_comes_late_is_still_seen_once():
    counting = Counting()
    seen = looks.first(counting, (API,), STABLE, BEGAN)
    for number in range(1, 40):
        now = BEGAN + 60 * number
        counting.count(now - 60 * 5, 3)  # five minutes late
        seen = looks.again(seen, counting, (API,), STABLE, (now - 60, 0, 10))
        _, seen = looks.weighed(seen, PLAN)
    assert sum(bucket.canary.warm.requests for bucket in looks.buckets(seen)) == 39 * 3


def test_judging_by_kept_evidence_says_what_judging_all_buckets_does():
    made = Counts(500, 0, 0, Histogram.of([2_000] * 500))
    buckets = [TimeBucket(BEGAN + 10 * at, 0, 10, VersionCounts(made), VersionCounts(made)) for at in range(9)]
    seen = {"buckets": [], "since": BEGAN, "seen": []}
    for bucket in buckets:
        seen["buckets"] = [*seen["buckets"], looks.counted.bucket_document(bucket)]
        evidence, seen = looks.weighed(seen, PLAN)
    said = judge(PLAN, buckets, 0, 90)
    assert said.outcome == "pass"

    assert decide(PLAN, evidence, 0, 90) == said
