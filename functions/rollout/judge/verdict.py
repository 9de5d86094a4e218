"""What the judge says: frozen, with its numbers, and with a plain sentence for each reason."""

from __future__ import annotations

from typing import Literal, NamedTuple

from functions.rollout.judge.counts import Counts
from functions.rollout.judge.plan import Unproven

# Of a step: go on to the next; roll the release back; its time is over and nothing is proven.
Outcome = Literal["pass", "fail", "inconclusive"]
Metric = Literal["errors", "p50", "p95"]


class Interval(NamedTuple):
    """An estimate, and where the truth is; both ends hold at all looks together.

    Attributes:
        estimate: what was counted.
        low, high: of a share, or microseconds.
    """

    estimate: float
    low: float
    high: float


class Finding(NamedTuple):
    """One metric's evidence.

    Attributes:
        metric: which.
        against: the e-value that the canary is worse than tolerated; the metric fails at `against_at`.
        against_at: the inverse of its share of the false rollbacks' budget.
        safe: the e-value that it is no regression, from this step alone; the metric is proven at `safe_at`.
        safe_at: the inverse of the budget of missed regressions.
        canary, stable: shares of failed requests, or the quantiles in microseconds; None: nothing counted.
    """

    metric: Metric
    against: float
    against_at: float
    safe: float
    safe_at: float
    canary: Interval | None
    stable: Interval | None

    @property
    def failed(self) -> bool:
        """Whether the budget allows to say that the canary is worse."""
        return self.against >= self.against_at

    @property
    def proven(self) -> bool:
        """Whether the budget allows to say that it is no regression."""
        return self.safe >= self.safe_at


class Verdict(NamedTuple):
    """The judge's word on one step.

    Attributes:
        outcome: pass, fail or inconclusive.
        step: which step, from 0.
        elapsed_s: seconds since it began.
        reasons: one sentence each.
        findings: the evidence by metric.
        canary, stable: all warm requests since the release began.
        then: what the plan says of a step without proof; None unless inconclusive.
        requests_wanted: about how many more canary requests may prove it; None: it can't be told, or none are needed.
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
