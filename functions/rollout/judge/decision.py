"""The verdict on a step, from what is known, the time that passed, and the alarms that ring."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, exp, log

from functions.rollout.judge import harm, safety, sentences
from functions.rollout.judge.counts import TimeBucket
from functions.rollout.judge.evidence import Evidence, MetricEvidence, weigh
from functions.rollout.judge.interval import of_quantile, of_share
from functions.rollout.judge.plan import Guard, Plan
from functions.rollout.judge.verdict import Finding, Interval, Metric, Outcome, Verdict

_METRICS: tuple[Metric, ...] = ("errors", "p50", "p95")
# e-values beyond this are printed as this.
_MOST_LOG = 230.0
# Nobody waits for more than so many times what was seen.
_MOST_TIMES = 1024


def judge(
    plan: Plan, buckets: Sequence[TimeBucket], step: int, elapsed_s: float, alarms: tuple[str, ...] = ()
) -> Verdict | None:
    """Judge a step; None: it is too early to say.

    Args:
        plan: what is judged against what.
        buckets: all since the release began, and before it if there are any, in order of time, each one over.
        step: the step under way, from 0.
        elapsed_s: seconds since it began.
        alarms: names of the other alarms that ring; any of them fails the release.
    """
    return decide(plan, weigh(plan, buckets), step, elapsed_s, alarms)


def decide(plan: Plan, known: Evidence, step: int, elapsed_s: float, alarms: tuple[str, ...] = ()) -> Verdict | None:
    """Judge a step from evidence that was weighed before; see `judge`."""
    known = known.at_step(step)  # it may have begun without a request yet
    outcome = _outcome(plan, known, step, elapsed_s, alarms)
    return None if outcome is None else _verdict(plan, known, step, elapsed_s, alarms, outcome)


def _outcome(plan: Plan, known: Evidence, step: int, elapsed_s: float, alarms: tuple[str, ...]) -> Outcome | None:
    limits = plan.steps[step]
    if alarms or is_beyond(plan.guard, known) or any(against(plan, known, m) >= against_at(plan, m) for m in _METRICS):
        return "fail"
    if elapsed_s < limits.least_s:
        return None
    needed = -log(plan.budget.missed)
    if all(for_it(evidence_of(known, metric)) >= needed for metric in _METRICS):
        return "pass"
    return "inconclusive" if elapsed_s >= limits.most_s else None


def evidence_of(known: Evidence, metric: Metric) -> MetricEvidence:
    """Pick a metric's evidence."""
    return {"errors": known.errors, "p50": known.p50, "p95": known.p95}[metric]


def against(plan: Plan, known: Evidence, metric: Metric) -> float:
    """Return the logarithm of a metric's evidence against the canary."""
    return evidence_of(known, metric).harm.log(harm.STAKES, len(plan.steps))


def against_at(plan: Plan, metric: Metric) -> float:
    """Return the logarithm at which that is enough."""
    budget = plan.budget
    share = {"errors": budget.errors, "p50": budget.p50, "p95": budget.p95}[metric]
    return -log(budget.false_rollbacks * share)


def for_it(evidence: MetricEvidence) -> float:
    """Return the logarithm of a metric's evidence that the canary is no regression."""
    stakes = safety.STAKES if len(evidence.safety.logs) == len(safety.STAKES) else safety.STAKES_ALONE
    return evidence.safety.log(stakes)


def is_beyond(guard: Guard, known: Evidence) -> bool:
    """Whether the canary fails more requests than may ever be."""
    requests, failed = known.canary_in_step
    return requests >= guard.least_requests and failed > guard.most_share * requests


def _verdict(
    plan: Plan, known: Evidence, step: int, elapsed_s: float, alarms: tuple[str, ...], outcome: Outcome
) -> Verdict:
    findings = tuple(_finding(plan, known, metric) for metric in _METRICS)
    open_step = outcome == "inconclusive"
    overrun = known.canary_in_step if is_beyond(plan.guard, known) else None
    return Verdict(
        outcome,
        step,
        elapsed_s,
        tuple(sentences.reasons(plan, findings, outcome, alarms, overrun)),
        findings,
        known.canary,
        known.stable,
        plan.steps[step].unproven if open_step else None,
        _requests_wanted(plan, known) if open_step else None,
    )


def _finding(plan: Plan, known: Evidence, metric: Metric) -> Finding:
    error = plan.budget.missed
    canary: Interval | None
    stable: Interval | None
    if metric == "errors":
        canary, stable = (of_share(of.failed, of.requests, error) for of in (known.canary, known.stable))
    else:
        quantile = (plan.p50 if metric == "p50" else plan.p95).quantile
        canary, stable = (of_quantile(of.latency, quantile, error) for of in (known.canary, known.stable))
    return Finding(
        metric,
        _e_value(against(plan, known, metric)),
        exp(against_at(plan, metric)),
        _e_value(for_it(evidence_of(known, metric))),
        1 / plan.budget.missed,
        canary,
        stable,
    )


def _requests_wanted(plan: Plan, known: Evidence) -> int | None:
    """Guess how many more canary requests prove it if they go as those of this step; the slowest metric tells."""
    needed, requests = -log(plan.budget.missed), known.canary_in_step[0]
    missing = 0
    for metric in _METRICS:
        times = _times_wanted(evidence_of(known, metric), needed)
        if times is None:
            return None
        missing = max(missing, ceil((times - 1) * requests))
    return missing or None


def _times_wanted(evidence: MetricEvidence, needed: float) -> float | None:
    """Find how many times the same evidence is enough; None: hardly ever."""

    def enough(times: float) -> bool:
        return for_it(evidence._replace(safety=evidence.safety.times(times))) >= needed

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


def _e_value(logarithm: float) -> float:
    return exp(min(logarithm, _MOST_LOG))
