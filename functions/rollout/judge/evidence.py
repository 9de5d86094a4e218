"""The judge's evidence: a fold over time buckets, each used once."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from math import log
from typing import NamedTuple

from functions.rollout.judge import safety
from functions.rollout.judge.counts import Counts, Spread, TimeBucket
from functions.rollout.judge.histogram import Histogram, bin_of
from functions.rollout.judge.metric import Metric, Rule, Stretch
from functions.rollout.judge.outage import Troubles
from functions.rollout.judge.plan import Plan, Slowing
from functions.rollout.judge.routes import Routes
from functions.rollout.judge.verdict import MetricName
from functions.rollout.judge.wager import Table, log_sum

# The part of each metric's stake that is on clients' requests; the rest is on replayed ones.
_LIVE = 0.5
# For so long a single environment's event lasts.
_EVENT_S = 30
# A quantile is known well enough for a comparison once so many latencies lie beyond it.
BEYOND = 5


class Rules(NamedTuple):
    """The rule of each metric, from a plan."""

    errors: Rule
    p50: Rule
    p95: Rule
    routes: Rule
    guard: Rule
    refused: Rule


def rules_of(plan: Plan) -> Rules:
    """Return the rules of a plan."""
    rise, refusals = plan.errors, plan.refusals
    most_safe = safety.MOST_IN_A_STRETCH
    rules = Rules(
        Rule(rise.tolerated_ratio, rise.tolerated_extra, rise.regression_ratio, rise.regression_least, most_safe),
        _slow_rule(plan.p50),
        _slow_rule(plan.p95),
        Rule(rise.tolerated_ratio, rise.tolerated_extra),
        Rule(1.0, plan.guard.most_share),
        Rule(refusals.tolerated_ratio, refusals.tolerated_extra),
    )
    return Rules(*[rule._replace(events=max(1.0, plan.stretch_s / _EVENT_S)) for rule in rules])


def _slow_rule(slowing: Slowing) -> Rule:
    beyond = 1 - slowing.quantile
    return Rule(1.0, beyond / 2, slowing.far_ratio, beyond)


class Strand(NamedTuple):
    """Clients' requests, or those that the release replays: each kind is compared by itself.

    Attributes:
        errors, p50, p95: the evidence of each metric.
        stable, canary: all warm requests that have counted so far.
        sent: whether the release itself sends them.
    """

    errors: Metric = Metric()
    p50: Metric = Metric()
    p95: Metric = Metric()
    stable: Counts = Counts()
    canary: Counts = Counts()
    sent: bool = False

    def against(self, rules: Rules, metric: MetricName) -> float:
        """Return the logarithm of a metric's evidence against the canary."""
        found: Metric = getattr(self, metric)
        return found.against(getattr(self._its(rules), metric))

    def at_step(self, rules: Rules, part: float, *, anew: bool) -> Strand:
        """Begin a step; `anew`: safety has to be proven again in it."""
        rules = self._its(rules)
        return self._replace(
            errors=self.errors.at_step(rules.errors, part, anew=anew),
            p50=self.p50.at_step(rules.p50, part, anew=anew),
            p95=self.p95.at_step(rules.p95, part, anew=anew),
        )

    def before(self, stable: Counts) -> Strand:
        """Take stable's counts from before the canary had any weight."""
        former = Table(0, 0, stable.failed, stable.requests)
        return self._replace(errors=self.errors.before(former), stable=self.stable.plus(stable))

    def after(self, plan: Plan, stable: Counts, canary: Counts, start_s: int, *, settled: bool) -> Strand:
        """Take one look's counts; `settled`: latency is compared, too."""
        rules, found = self._its(rules_of(plan)), self
        if canary.requests or stable.requests:
            table = Table(canary.failed, canary.requests, stable.failed, stable.requests)
            seen = Stretch(table, table, canary.spread, stable.spread)
            found = found._replace(errors=self.errors.after(rules.errors, seen, start_s, plan.stretch_s))
        if settled:
            past = self.stable.latency
            found = found._replace(
                p50=_slow(plan, plan.p50, rules.p50, self.p50, (past, stable.latency, canary.latency), start_s),
                p95=_slow(plan, plan.p95, rules.p95, self.p95, (past, stable.latency, canary.latency), start_s),
            )
        return found._replace(stable=self.stable.plus(stable), canary=self.canary.plus(canary))

    def _its(self, rules: Rules) -> Rules:
        if not self.sent:
            return rules
        return Rules(*[rule._replace(replayed=True) for rule in rules])


class Evidence(NamedTuple):
    """The fold's state.

    Attributes:
        live: clients' requests.
        replayed: those that the release sent to both versions, regardless of the weights.
        routes: errors by route.
        guard: all failures, those of cold requests included.
        refused: requests that were shed or limited.
        troubles: stable's outages.
        step: the step of the last bucket; -1: before the first one.
        step_began_s: when its first bucket began; None: it had none yet.
    """

    live: Strand = Strand()
    replayed: Strand = Strand(sent=True)
    routes: Routes = Routes()
    guard: Metric = Metric()
    refused: Metric = Metric()
    troubles: Troubles = Troubles()
    step: int = -1
    step_began_s: int | None = None

    @property
    def stable(self) -> Counts:
        """All of stable's warm requests that have counted so far."""
        return self.live.stable

    @property
    def canary(self) -> Counts:
        """All of the canary's warm requests that have counted so far."""
        return self.live.canary

    def against(self, rules: Rules, metric: MetricName) -> float:
        """Return the logarithm of a metric's evidence against the canary."""
        live, replayed = (strand.against(rules, metric) for strand in (self.live, self.replayed))
        return log_sum((log(_LIVE) + live, log(1 - _LIVE) + replayed))

    def at_step(self, plan: Plan, step: int) -> Evidence:
        """Begin a step, unless it has begun already."""
        found = self
        while found.step < step:
            found = found._next_step(plan)
        return found

    def _next_step(self, plan: Plan) -> Evidence:
        step, rules = self.step + 1, rules_of(plan)
        part = _part(step, len(plan.steps))
        return self._replace(
            live=self.live.at_step(rules, part, anew=True),
            replayed=self.replayed.at_step(rules, part, anew=False),
            routes=self.routes.at_step(rules.routes, part),
            guard=self.guard.at_step(rules.guard, part),
            refused=self.refused.at_step(rules.refused, part),
            troubles=self.troubles.at_step(),
            step=step,
            step_began_s=None,
        )


def _part(step: int, steps: int) -> float:
    """The part of the unstaked wealth that a step stakes: half at the first, and the rest in equal amounts."""
    if steps <= 1:
        return 1.0
    return 0.5 if step == 0 else 1 / max(1, steps - step)


def nothing() -> Evidence:
    """Return the evidence before the first bucket."""
    return Evidence()


def weigh(plan: Plan, buckets: Iterable[TimeBucket], known: Evidence | None = None) -> Evidence:
    """Fold buckets, in order of time, into the evidence.

    Buckets from before the release, without a canary's requests, may come first: they show what is usual for stable.
    """
    return reduce(lambda evidence, bucket: after(plan, evidence, bucket), buckets, known or nothing())


def after(plan: Plan, known: Evidence, bucket: TimeBucket) -> Evidence:
    """Fold one bucket."""
    begun = known.at_step(plan, bucket.step)
    start_s, stable, canary = bucket.start_s, bucket.stable, bucket.canary
    if not bucket.percent:
        return begun._replace(
            live=begun.live.before(stable.warm),
            routes=begun.routes.before(stable.warm),
            troubles=begun.troubles.before(stable),
        )
    troubles = begun.troubles.after(plan.outage, start_s, stable)
    began_s = start_s if begun.step_began_s is None else begun.step_began_s
    begun = begun._replace(troubles=troubles, step_began_s=began_s)
    if troubles.now:
        return begun
    rules, stretch_s = rules_of(plan), plan.stretch_s
    settled = start_s - began_s >= plan.settle_s
    replayed = begun.replayed
    if stable.replayed.requests or canary.replayed.requests:
        replayed = replayed.after(plan, stable.replayed, canary.replayed, start_s, settled=settled)
    return begun._replace(
        live=begun.live.after(plan, stable.warm, canary.warm, start_s, settled=settled),
        replayed=replayed,
        routes=begun.routes.after(
            rules.routes, (start_s, stretch_s), _part(0, len(plan.steps)), stable.warm, canary.warm
        ),
        guard=begun.guard.after(rules.guard, _everything(bucket), start_s, stretch_s),
        refused=begun.refused.after(rules.refused, _refused(bucket), start_s, stretch_s),
    )


def _slow(
    plan: Plan,
    slowing: Slowing,
    rule: Rule,
    known: Metric,
    latencies: tuple[Histogram, Histogram, Histogram],
    start_s: int,
) -> Metric:
    """Compare shares of slow requests; the latency that counts as slow was fixed before the bucket began."""
    past, stable, canary = latencies
    if not stable.counts and not canary.counts:
        return known
    if past.total * (1 - slowing.quantile) < BEYOND:
        return known
    usual_us = max(slowing.least_us, past.quantile_us(slowing.quantile))
    tolerated, regression = (
        bin_of(int(usual_us * times)) for times in (slowing.tolerated_ratio, slowing.regression_ratio)
    )
    totals = canary.total, stable.total
    worse = Table(canary.above(tolerated), totals[0], stable.above(tolerated), totals[1])
    far = Table(canary.above(regression), totals[0], stable.above(regression), totals[1])
    return known.after(rule, Stretch(worse, far), start_s, plan.stretch_s)


def _everything(bucket: TimeBucket) -> Stretch:
    stable, canary = (
        (of.warm.failed + of.cold.failed, of.warm.requests + of.cold.requests) for of in (bucket.stable, bucket.canary)
    )
    return Stretch(Table(*canary, *stable), Table(), Spread(), Spread())


def _refused(bucket: TimeBucket) -> Stretch:
    stable, canary = ((of.warm.refused, of.warm.requests + of.warm.refused) for of in (bucket.stable, bucket.canary))
    return Stretch(Table(*canary, *stable))
