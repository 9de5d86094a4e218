"""The verdict on a step, from the evidence, the elapsed time, and the alarms that ring."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import exp, log

from functions.rollout.judge import sentences, wanting
from functions.rollout.judge.counts import TimeBucket
from functions.rollout.judge.evidence import Evidence, rules_of, weigh
from functions.rollout.judge.interval import of_quantile, of_share
from functions.rollout.judge.plan import Plan
from functions.rollout.judge.routes import MOST
from functions.rollout.judge.verdict import Finding, Interval, MetricName, Outcome, Verdict
from functions.rollout.judge.wager import Table
from functions.rollout.judge.wanting import METRICS, needed, proof

# The logarithm of the largest e-value that is printed.
_MOST_LOG = 230.0


def judge(
    plan: Plan, buckets: Sequence[TimeBucket], step: int, elapsed_s: float, alarms: tuple[str, ...] = ()
) -> Verdict | None:
    """Judge a step; None: it is too early.

    Args:
        plan: the tolerances and steps.
        buckets: all past ones of the release, and of the time before it, in order of time.
        step: the step under way, from 0.
        elapsed_s: seconds since it began.
        alarms: names of the alarms that ring. Any of them fails the release, unless stable itself was in trouble just
            now, which may be the alarm's cause.
    """
    return decide(plan, weigh(plan, buckets), step, elapsed_s, alarms)


def decide(plan: Plan, known: Evidence, step: int, elapsed_s: float, alarms: tuple[str, ...] = ()) -> Verdict | None:
    """Judge a step from evidence that is folded already; see `judge`."""
    known = known.at_step(plan, step)  # it may have begun without a request yet
    now_s = (known.step_began_s or 0) + elapsed_s
    excused = bool(alarms) and known.troubles.explains_alarms(plan.outage, now_s)
    rings = () if excused else alarms
    waited_s = known.troubles.step_waited_s(now_s)
    outcome = _outcome(plan, known, step, elapsed_s - waited_s, rings)
    if outcome is None or (outcome != "fail" and (excused or known.troubles.now)):
        return None
    return _verdict(plan, known, (step, elapsed_s, waited_s), rings, outcome)


def standing_still(plan: Plan, known: Evidence, step: int) -> str | None:
    """Return a sentence on why a step's time stands still; None if it doesn't."""
    troubles = known.at_step(plan, step).troubles
    return sentences.trouble(troubles.worst) if troubles.now else None


def _outcome(plan: Plan, known: Evidence, step: int, counted_s: float, alarms: tuple[str, ...]) -> Outcome | None:
    limits = plan.steps[step]
    if alarms or _is_worse(plan, known):
        return "fail"
    if counted_s < limits.least_s:
        return None
    over = counted_s >= limits.most_s
    bakes = limits.unproven == "hold" and step + 1 < len(plan.steps)
    enough = -log(plan.budget.doubtful) if over and bakes else needed(plan)
    if all(proof(plan, known, metric) >= enough for metric in METRICS):
        return "pass"
    return "inconclusive" if over else None


def _is_worse(plan: Plan, known: Evidence) -> bool:
    rules = rules_of(plan)
    return (
        any(known.against(rules, metric) >= against_at(plan, metric) for metric in METRICS)
        or _is_beyond_guard(plan, known)
        or known.refused.against(rules.refused) >= against_at(plan, "refused")
        or known.routes.against(rules.routes)[0] >= against_at(plan, "route")
    )


def _is_beyond_guard(plan: Plan, known: Evidence) -> bool:
    hits, requests, *_ = known.guard.totals
    if requests < plan.guard.least_requests or hits <= plan.guard.most_share * requests:
        return False
    return known.guard.against(rules_of(plan).guard) >= against_at(plan, "guard")


def against_at(plan: Plan, metric: str) -> float:
    """Return the logarithm of the evidence against the canary that fails a release."""
    budget, parts = plan.budget, plan.budget.parts
    shares = {
        "errors": budget.errors * parts.all,
        "guard": budget.errors * parts.guard,
        "refused": budget.errors * parts.refused,
        # Each route is compared in two ways, so each gets half.
        "route": budget.errors * parts.routes / (2 * (MOST + 1)),
        "p50": budget.p50,
        "p95": budget.p95,
    }
    return -log(budget.false_rollbacks * shares[metric])


def _verdict(
    plan: Plan, known: Evidence, at: tuple[int, float, float], alarms: tuple[str, ...], outcome: Outcome
) -> Verdict:
    step, elapsed_s, waited_s = at
    findings = (*[_finding(plan, known, metric) for metric in METRICS], *_besides(plan, known))
    open_step = outcome == "inconclusive"
    reasons = [*sentences.reasons(plan, findings, outcome, alarms, known.guard.totals)]
    if waited_s:
        reasons.append(sentences.waited(waited_s, known.troubles.worst))
    return Verdict(
        outcome,
        step,
        elapsed_s,
        tuple(reasons),
        findings,
        known.live.canary,
        known.live.stable,
        plan.steps[step].unproven if open_step else None,
        wanting.more(plan, known) if open_step else None,
        waited_s,
    )


def _finding(plan: Plan, known: Evidence, metric: MetricName) -> Finding:
    error = plan.budget.missed
    # If clients send few requests, the intervals are of replayed ones.
    strand = wanting.strand_of(known)
    canary: Interval | None
    stable: Interval | None
    if metric == "errors":
        canary, stable = (of_share(of.failed, of.requests, error) for of in (strand.canary, strand.stable))
    else:
        quantile = (plan.p50 if metric == "p50" else plan.p95).quantile
        canary, stable = (of_quantile(of.latency, quantile, error) for of in (strand.canary, strand.stable))
    return Finding(
        metric,
        _e_value(known.against(rules_of(plan), metric)),
        exp(against_at(plan, metric)),
        _e_value(proof(plan, known, metric)),
        1 / error,
        canary,
        stable,
    )


def _besides(plan: Plan, known: Evidence) -> Iterator[Finding]:
    """Return the findings of guard, refusals and routes, if they fail the release."""
    rules = rules_of(plan)
    if _is_beyond_guard(plan, known):
        yield _failing(plan, "guard", ("guard", known.guard.against(rules.guard)), known.guard.totals)
    refused = known.refused.against(rules.refused)
    if refused >= against_at(plan, "refused"):
        yield _failing(plan, "refused", ("refused", refused), known.refused.totals)
    against, route = known.routes.against(rules.routes)
    if route and against >= against_at(plan, "route"):
        yield _failing(plan, route, ("route", against), known.routes.metrics[route].totals)


def _failing(plan: Plan, name: str, evidence: tuple[str, float], totals: Table) -> Finding:
    share, against = evidence
    error = plan.budget.missed
    hits, requests, stable_hits, stable = map(round, totals)
    return Finding(
        name,
        _e_value(against),
        exp(against_at(plan, share)),
        0.0,
        1 / error,
        of_share(hits, requests, error),
        of_share(stable_hits, stable, error),
    )


def _e_value(logarithm: float) -> float:
    return exp(min(logarithm, _MOST_LOG))
