"""What others judge a canary by: three rules that look at the same releases for five minutes a step."""

from __future__ import annotations

from collections.abc import Sequence
from math import erfc, exp, lgamma, sqrt
from typing import NamedTuple

from functions.rollout.judge import Counts, Plan
from tests.simulation.releases_world import Release
from tidegate.algorithms.histogram import bin_of

STEP_S, MINUTE_S = 300, 60
# The threshold alarm: an error rate, and times the p95 that is known to be usual.
MOST_ERRORS, MOST_P95 = 0.01, 2.0
# The fixed-size test's level, at the end of each step, for errors and for latency.
LEVEL = 0.01
RULES = ("any-error alarm", "fixed threshold alarm", "fixed-size test")


class Judged(NamedTuple):
    """One rule's word on one release, after so many canary requests and seconds."""

    outcome: str
    requests: int
    seconds: int


def judge(release: Release, plan: Plan) -> dict[str, Judged]:
    """Let each rule look at a release until it says no, or the last step is over."""
    said = dict[str, Judged]()
    requests = 0
    usual_us = None
    for number, step in enumerate(plan.steps):
        canary, stable = Counts(), Counts()
        for minute in range(STEP_S // MINUTE_S):
            start_s = number * STEP_S + minute * MINUTE_S
            bucket = release.bucket(number, step.percent, start_s, MINUTE_S)
            now = bucket.canary.warm
            requests += now.requests
            canary, stable = canary.plus(now), stable.plus(bucket.stable.warm)
            if usual_us is None and stable.latency.total:
                usual_us = _usual_p95_us(release)
            for rule, alarmed in (("any-error alarm", now.failed > 0), ("fixed threshold alarm", _over(now, usual_us))):
                if alarmed:
                    said.setdefault(rule, Judged("fail", requests, start_s + MINUTE_S))
        if differs(canary, stable):
            said.setdefault("fixed-size test", Judged("fail", requests, (number + 1) * STEP_S))
    return {rule: said.get(rule, Judged("pass", requests, len(plan.steps) * STEP_S)) for rule in RULES}


def _usual_p95_us(release: Release) -> float:
    """Whoever set the alarm knew it."""
    median_ms, sigma = release.profile
    return float(median_ms * 1000 * exp(1.6449 * sigma))


def _over(now: Counts, usual_us: float | None) -> bool:
    if now.requests and now.failed / now.requests > MOST_ERRORS:
        return True
    return bool(usual_us and now.latency.counts and now.latency.quantile_us(0.95) > MOST_P95 * usual_us)


def differs(canary: Counts, stable: Counts) -> bool:
    """Test both proportions once: of failed requests, and of those slower than stable's p95."""
    if _greater(canary.failed, canary.requests, stable.failed, stable.requests):
        return True
    if not stable.latency.counts:
        return False
    cut = bin_of(stable.latency.quantile_us(0.95))
    return _greater(canary.latency.above(cut), canary.latency.total, stable.latency.above(cut), stable.latency.total)


def _greater(hits: int, n: int, others: int, m: int) -> bool:
    """Fisher's exact test, one-sided; a z-test where at least ten hits are expected of the smaller."""
    if not n or not m or not hits:
        return False
    both = (hits + others) / (n + m)
    if both * min(n, m) >= 10:
        z = (hits / n - others / m) / sqrt(both * (1 - both) * (1 / n + 1 / m)) if both < 1 else 0.0
        return erfc(z / sqrt(2)) / 2 < LEVEL
    return _tail(hits, n, hits + others, n + m) < LEVEL


def _tail(hits: int, n: int, all_hits: int, total: int) -> float:
    terms: Sequence[float] = [
        exp(_choose(all_hits, k) + _choose(total - all_hits, n - k) - _choose(total, n))
        for k in range(hits, min(all_hits, n) + 1)
        if n - k <= total - all_hits
    ]
    return sum(terms)


def _choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
