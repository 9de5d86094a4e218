"""The reasons of a verdict, one plain sentence each."""

from __future__ import annotations

from collections.abc import Iterator

from functions.rollout.judge.plan import Plan
from functions.rollout.judge.verdict import Finding, Interval, Outcome


def reasons(
    plan: Plan,
    findings: tuple[Finding, ...],
    outcome: Outcome,
    alarms: tuple[str, ...],
    overrun: tuple[int, int] | None,
) -> Iterator[str]:
    """Say why; `overrun`: requests and failed ones where the guard stopped the canary."""
    if outcome == "fail":
        yield from (f"The alarm {name} rings." for name in alarms)
        if overrun:
            yield (
                f"In this step the canary failed {overrun[1]} of {overrun[0]} requests, more than the "
                f"{plan.guard.most_share:.0%} that may ever be."
            )
        yield from (_worse(plan, finding) for finding in findings if finding.failed)
    elif outcome == "pass":
        yield from (_safe(plan, finding) for finding in findings)
    else:
        yield from (_open(finding) for finding in findings if not finding.proven)


def _worse(plan: Plan, finding: Finding) -> str:
    ratio, what = _tolerance(plan, finding)
    return (
        f"{what} are worse than tolerated ({ratio:g} times stable's): {_both(finding)}; "
        f"evidence {_number(finding.against)} where {_number(finding.against_at)} is enough."
    )


def _safe(plan: Plan, finding: Finding) -> str:
    _, what = _tolerance(plan, finding)
    ratio = plan.errors.regression_ratio if finding.metric == "errors" else _slowing_ratio(plan, finding)
    return (
        f"{what} are no regression ({ratio:g} times stable's): {_both(finding)}; "
        f"evidence {_number(finding.safe)} where {_number(finding.safe_at)} is enough."
    )


def _open(finding: Finding) -> str:
    what = "the errors" if finding.metric == "errors" else f"the latency ({finding.metric})"
    return (
        f"There were too few requests to tell about {what}: {_both(finding)}; evidence of safety "
        f"{_number(finding.safe)} of {_number(finding.safe_at)}, of harm {_number(finding.against)} "
        f"of {_number(finding.against_at)}."
    )


def _tolerance(plan: Plan, finding: Finding) -> tuple[float, str]:
    if finding.metric == "errors":
        return plan.errors.tolerated_ratio, "The canary's errors"
    slowing = plan.p50 if finding.metric == "p50" else plan.p95
    return slowing.tolerated_ratio, f"The canary's latencies ({finding.metric})"


def _slowing_ratio(plan: Plan, finding: Finding) -> float:
    return (plan.p50 if finding.metric == "p50" else plan.p95).regression_ratio


def _both(finding: Finding) -> str:
    say = _share if finding.metric == "errors" else _latency
    return f"canary {say(finding.canary)}, stable {say(finding.stable)}"


def _share(interval: Interval | None) -> str:
    if interval is None:
        return "no request"
    return f"{interval.estimate:.2%} ({interval.low:.2%} to {interval.high:.2%})"


def _latency(interval: Interval | None) -> str:
    if interval is None:
        return "no request"
    return f"{interval.estimate / 1000:.3g} ms ({interval.low / 1000:.3g} to {interval.high / 1000:.3g} ms)"


def _number(value: float) -> str:
    return f"{value:.3g}" if value < 1e4 else f"{value:.0e}"
