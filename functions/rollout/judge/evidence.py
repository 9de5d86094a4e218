"""All that is known after so many time buckets: a fold over them, each looked at once."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import NamedTuple

from functions.rollout.judge import harm, safety
from functions.rollout.judge.counts import Counts, TimeBucket
from functions.rollout.judge.plan import Plan, Rise, Slowing
from functions.rollout.judge.wager import Table, Wealth
from tidegate.algorithms.histogram import Histogram, bin_of

# A quantile is known well enough to be compared with once so many latencies lie beyond it.
BEYOND = 5


class MetricEvidence(NamedTuple):
    """What speaks against the canary in one metric, and what for it.

    Attributes:
        harm: bets that it is worse than tolerated.
        safety: bets that it is no regression, in this step: each step is proven by what was seen in it.
        hits: all hits and requests that `harm` has seen.
    """

    harm: Wealth
    safety: Wealth
    hits: Table = Table(0, 0, 0, 0)

    def after(self, table: Table, harmed: tuple[float, ...], safe: tuple[float, ...]) -> MetricEvidence:
        """Settle one bucket's bets."""
        seen = Table(*[a + b for a, b in zip(self.hits, table, strict=True)])
        return MetricEvidence(self.harm.after(harmed), self.safety.after(safe), seen)

    def at_step(self, step: int) -> MetricEvidence:
        """Carry what speaks against the canary on, and begin anew what speaks for it."""
        return self._replace(harm=self.harm.at_step(step), safety=Wealth.of(len(self.safety.logs)))


class Evidence(NamedTuple):
    """The fold's state.

    Attributes:
        errors, p50, p95: by metric.
        stable, canary: all warm requests so far.
        step: the step of the last bucket.
        canary_in_step: requests and failed ones, cold ones too, for the guard.
    """

    errors: MetricEvidence
    p50: MetricEvidence
    p95: MetricEvidence
    stable: Counts = Counts()
    canary: Counts = Counts()
    step: int = 0
    canary_in_step: tuple[int, int] = (0, 0)

    def at_step(self, step: int) -> Evidence:
        """Begin a step; the same evidence if it has begun."""
        if step == self.step:
            return self
        return self._replace(
            errors=self.errors.at_step(step),
            p50=self.p50.at_step(step),
            p95=self.p95.at_step(step),
            step=step,
            canary_in_step=(0, 0),
        )


def nothing() -> Evidence:
    """Return what is known before the first bucket."""
    slow = MetricEvidence(Wealth.of(len(harm.STAKES)), Wealth.of(len(safety.STAKES_ALONE)))
    return Evidence(MetricEvidence(Wealth.of(len(harm.STAKES)), Wealth.of(len(safety.STAKES))), slow, slow)


def weigh(plan: Plan, buckets: Iterable[TimeBucket], known: Evidence | None = None) -> Evidence:
    """Fold buckets, in order of time, into what is known.

    Buckets before the release (their canary without requests) may come first: they tell stable's latency.
    """
    return reduce(lambda evidence, bucket: after(plan, evidence, bucket), buckets, known or nothing())


def after(plan: Plan, known: Evidence, bucket: TimeBucket) -> Evidence:
    """Fold one bucket."""
    begun = known.at_step(bucket.step)
    stable, canary = bucket.stable.warm, bucket.canary.warm
    requests, failed = begun.canary_in_step
    cold = bucket.canary.cold
    errors, p50, p95 = begun.errors, begun.p50, begun.p95
    if canary.requests:
        table = Table(canary.failed, canary.requests, stable.failed, stable.requests)
        errors = _errors(plan.errors, errors, table)
        p50 = _slow(plan.p50, p50, begun.stable.latency, stable.latency, canary.latency)
        p95 = _slow(plan.p95, p95, begun.stable.latency, stable.latency, canary.latency)
    return Evidence(
        errors,
        p50,
        p95,
        begun.stable.plus(stable),
        begun.canary.plus(canary),
        bucket.step,
        (requests + canary.requests + cold.requests, failed + canary.failed + cold.failed),
    )


def _errors(rise: Rise, known: MetricEvidence, table: Table) -> MetricEvidence:
    safe = (*safety.comparing(table, rise.regression_ratio), *safety.alone(table, rise.regression_least))
    return known.after(table, harm.gains(table, rise.tolerated_ratio, rise.tolerated_extra), safe)


def _slow(
    slowing: Slowing, known: MetricEvidence, past: Histogram, stable: Histogram, canary: Histogram
) -> MetricEvidence:
    """Compare shares of slow requests; how slow that is was known before the bucket began."""
    beyond = 1 - slowing.quantile
    if past.total * beyond < BEYOND:
        return known
    usual_us = max(slowing.least_us, past.quantile_us(slowing.quantile))
    tolerated, regression = (
        bin_of(int(usual_us * times)) for times in (slowing.tolerated_ratio, slowing.regression_ratio)
    )
    total = canary.total
    table = Table(canary.above(tolerated), total, stable.above(tolerated), stable.total)
    far = Table(canary.above(regression), total, 0, 0)
    return known.after(table, harm.gains(table, 1, beyond / 2), safety.alone(far, beyond))
