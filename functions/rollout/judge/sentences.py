"""The reasons of a verdict, one plain sentence each."""

from __future__ import annotations

from collections.abc import Iterator

from functions.rollout.judge.plan import Plan
from functions.rollout.judge.verdict import Finding, Interval, Outcome
from functions.rollout.judge.wager import Table

_LATENCIES = ("p50", "p95")


def reasons(
    plan: Plan,
    findings: tuple[Finding, ...],
    outcome: Outcome,
    alarms: tuple[str, ...],
    guarded: Table,
) -> Iterator[str]:
    """Yield the reasons of an outcome; `guarded`: both versions' requests in the step, cold ones included."""
    if outcome == "fail":
        yield from (f"The alarm {name} rings." for name in alarms)
        yield from (
            _beyond(plan, guarded) if finding.metric == "guard" else _worse(plan, finding)
            for finding in findings
            if finding.failed
        )
    elif outcome == "pass":
        yield from (_safe(plan, finding) for finding in findings)
    else:
        yield from (_open(finding) for finding in findings if not finding.proven)


def trouble(share: float) -> str:
    """Return why a look isn't counted."""
    return (
        f"Stable itself fails {share:.0%} of its requests: nothing can be compared, and the step's time stands still."
    )


def waited(seconds: float, share: float) -> str:
    """Return for how long looks weren't counted."""
    return f"Of this step {seconds:.0f} s weren't counted: stable itself failed up to {share:.0%} of its requests."


def _beyond(plan: Plan, guarded: Table) -> str:
    return (
        f"In this step the canary failed {guarded.canary_hits:.0f} of {guarded.canary:.0f} requests, cold ones "
        f"included, and stable {guarded.stable_hits:.0f} of {guarded.stable:.0f}: more than "
        f"{plan.guard.most_share:.0%} beyond stable's, which may never be."
    )


def _worse(plan: Plan, finding: Finding) -> str:
    ratio, what = _tolerance(plan, finding)
    where = "" if finding.metric in {"errors", "refused", *_LATENCIES} else f" in {finding.metric}"
    return (
        f"{what} are worse than tolerated ({ratio:g} times stable's){where}: {_both(finding)}; "
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
    few = finding.canary is None or finding.canary.estimate == 0 or finding.safe >= 1
    why = "There were too few requests to tell" if few else "The requests that there were leave open how it stands"
    return (
        f"{why} about {what}: {_both(finding)}; evidence of safety "
        f"{_number(finding.safe)} of {_number(finding.safe_at)}, of harm {_number(finding.against)} "
        f"of {_number(finding.against_at)}."
    )


def _tolerance(plan: Plan, finding: Finding) -> tuple[float, str]:
    if finding.metric == "errors":
        return plan.errors.tolerated_ratio, "The canary's errors"
    if finding.metric == "refused":
        return plan.refusals.tolerated_ratio, "The canary's refusals (shed, or limited)"
    if finding.metric not in _LATENCIES:
        return plan.errors.tolerated_ratio, "The canary's errors"
    slowing = plan.p50 if finding.metric == "p50" else plan.p95
    return slowing.tolerated_ratio, f"The canary's latencies ({finding.metric})"


def _slowing_ratio(plan: Plan, finding: Finding) -> float:
    return (plan.p50 if finding.metric == "p50" else plan.p95).regression_ratio


def _both(finding: Finding) -> str:
    say = _latency if finding.metric in _LATENCIES else _share
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
