"""The proof of a step, and the number of requests that it still needs."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log

from functions.rollout.judge.evidence import Evidence, Strand, rules_of
from functions.rollout.judge.metric import Metric
from functions.rollout.judge.plan import Plan
from functions.rollout.judge.safety import SHARES, STAKES
from functions.rollout.judge.verdict import MetricName

METRICS: tuple[MetricName, ...] = ("errors", "p50", "p95")
# The search for the number of requests ends at so many times those that were counted.
_MOST_TIMES = 1024


def needed(plan: Plan) -> float:
    """Return the logarithm of the evidence that proves a metric."""
    return -log(plan.budget.missed)


def proof(plan: Plan, known: Evidence, metric: MetricName, times: float = 1.0) -> float:
    """Return the logarithm of a metric's evidence of safety, as if clients had sent so many times as much."""
    rule = getattr(rules_of(plan), metric)
    live: Metric = getattr(known.live, metric)
    replayed: Metric = getattr(known.replayed, metric)
    return live.for_it(rule, times) + replayed.for_it(rule)


def more(plan: Plan, known: Evidence, metrics: Sequence[MetricName] = METRICS) -> int | None:
    """Estimate the canary requests still needed if they are like those of this step, by the metric that needs most."""
    requests, missing = known.live.errors.totals.canary, 0
    for metric in metrics:
        times = _times_wanted(plan, known, metric)
        if times is None:
            return None
        missing = max(missing, ceil((times - 1) * requests))
    return missing or None


def replays(plan: Plan, known: Evidence, step: int, elapsed_s: float) -> int:
    """Return how many replayed requests would prove a step that clients' don't prove in time; 0: none are needed."""
    known = known.at_step(plan, step)
    if known.troubles.now or all(proof(plan, known, metric) >= needed(plan) for metric in METRICS):
        return 0
    least_s, served = plan.steps[step].least_s, known.live.errors.totals.canary
    # A step's latency isn't compared while its environments are new, so its need isn't known yet.
    metrics_now = METRICS if elapsed_s > plan.settle_s + plan.stretch_s else METRICS[:1]
    missing = more(plan, known, metrics_now) if served else None
    # So many requests prove it if none fails; if clients have sent as many already, more don't help.
    enough = ceil((needed(plan) - log(STAKES[-len(SHARES)])) / plan.errors.regression_least)
    if served >= enough:
        return 0
    if missing is not None and served / max(elapsed_s, 1.0) * (2 * least_s - elapsed_s) >= missing:
        return 0
    return enough


def strand_of(known: Evidence) -> Strand:
    """Return the strand with more requests: the clients', or the replayed ones."""
    return max(known.live, known.replayed, key=lambda strand: strand.canary.requests)


def _times_wanted(plan: Plan, known: Evidence, metric: MetricName) -> float | None:
    """Find how many times the same evidence is enough; None if even `_MOST_TIMES` isn't."""

    def enough(times: float) -> bool:
        return proof(plan, known, metric, times) >= needed(plan)

    high = 1.0
    while not enough(high):
        high *= 2
        if high > _MOST_TIMES:
            return None
    low = high / 2 if high > 1 else 1.0
    for _ in range(10):
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
