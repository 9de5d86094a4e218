"""The judge's verdict: frozen, with its numbers, and with a plain sentence for each reason."""

from __future__ import annotations

from typing import Literal, NamedTuple

from functions.rollout.judge.counts import Counts
from functions.rollout.judge.plan import Unproven

# Of a step: go on to the next; roll the release back; its time is over without proof.
Outcome = Literal["pass", "fail", "inconclusive"]
# The metrics that must be proven. A release may also fail by "guard", "refused", or a route's name.
MetricName = Literal["errors", "p50", "p95"]


class Interval(NamedTuple):
    """An estimate with its confidence interval, which holds at all looks together.

    Attributes:
        estimate: the measured value.
        low, high: the ends; shares, or microseconds.
    """

    estimate: float
    low: float
    high: float


class Finding(NamedTuple):
    """One metric's evidence.

    Attributes:
        metric: "errors", "p50", "p95"; and if they fail: "guard", "refused", or a route.
        against: the e-value that the canary is worse than tolerated; the metric fails at `against_at`.
        against_at: the inverse of its share of the false rollbacks' budget.
        safe: the e-value that it is no regression, from this step and from replayed requests; the metric is proven at
            `safe_at`.
        safe_at: the inverse of the budget of missed regressions.
        canary, stable: shares of failed (or refused) requests, or the quantiles in microseconds; None: no requests.
    """

    metric: str
    against: float
    against_at: float
    safe: float
    safe_at: float
    canary: Interval | None
    stable: Interval | None

    @property
    def failed(self) -> bool:
        """Whether the evidence that the canary is worse is enough."""
        return self.against >= self.against_at

    @property
    def proven(self) -> bool:
        """Whether the evidence that it is no regression is enough."""
        return self.safe >= self.safe_at


class Verdict(NamedTuple):
    """The judge's verdict on one step.

    Attributes:
        outcome: pass, fail or inconclusive.
        step: which step, from 0.
        elapsed_s: seconds since it began.
        reasons: one sentence each.
        findings: the evidence by metric.
        canary, stable: all warm requests since the release began that were compared.
        then: the plan's action for a step without proof; None unless inconclusive.
        requests_wanted: about how many more canary requests may prove it; None: unknown, or none are needed.
        waited_s: seconds of this step that weren't counted, because stable itself had an outage.
    """

    outcome: Outcome
    step: int
    elapsed_s: float
    reasons: tuple[str, ...]
    findings: tuple[Finding, ...]
    canary: Counts
    stable: Counts
    then: Unproven | None = None
    requests_wanted: int | None = None
    waited_s: float = 0.0
