"""What is judged against what: the steps, what a regression is, and how often the judge may be wrong."""

from __future__ import annotations

from typing import Literal, NamedTuple

# What happens to a step whose time is over without proof: go on to more traffic, send synthetic requests, give it more
# time, or wait for a person.
Unproven = Literal["advance", "top_up", "wait", "hold"]


class Step(NamedTuple):
    """One weight, and for how long.

    Attributes:
        percent: the canary's weight; above 0, below 100.
        least_s: it lasts so long, however good it looks: some regressions need time.
        most_s: then it is over, proven or not.
        unproven: what happens then without proof.
    """

    percent: float
    least_s: int = 60
    most_s: int = 300
    unproven: Unproven = "advance"


class Rise(NamedTuple):
    """When failed requests are more than stable's; shares are of all requests.

    Attributes:
        tolerated_ratio, tolerated_extra: no regression as long as canary <= ratio * (stable + extra).
        regression_ratio, regression_least: a regression if canary >= ratio * stable and canary >= least.
    """

    tolerated_ratio: float = 1.5
    tolerated_extra: float = 0.0002
    regression_ratio: float = 4.0
    regression_least: float = 0.004


class Slowing(NamedTuple):
    """When the canary's quantile is beyond stable's.

    With q the quantile and Q stable's latency there: no regression as long as the canary's share of requests slower
    than `tolerated_ratio * Q` exceeds stable's by at most (1 - q) / 2; a regression if its share of requests slower
    than `regression_ratio * Q` is at least 1 - q, that is if its own quantile is there or beyond.

    Attributes:
        quantile: 0.95 for p95.
        tolerated_ratio, regression_ratio: of the canary's quantile to stable's.
        least_us: a Q below this counts as this: twice a millisecond harms nobody.
    """

    quantile: float
    tolerated_ratio: float = 1.5
    regression_ratio: float = 3.0
    least_us: int = 5_000


class Guard(NamedTuple):
    """Never more failed requests than this, whatever stable does.

    Attributes:
        most_share: of all the canary's requests in a step, cold ones too.
        least_requests: so many must have been counted.
    """

    most_share: float = 0.2
    least_requests: int = 50


class Budget(NamedTuple):
    """How often the judge may be wrong, over all its looks, steps and metrics.

    Attributes:
        false_rollbacks: of releases without any regression; the metrics share it (`errors`, `p50`, `p95` add up to 1).
        missed: of releases with a regression in any metric; no metric needs a share, since all must be proven.
    """

    false_rollbacks: float = 0.01
    missed: float = 0.05
    errors: float = 0.5
    p50: float = 0.25
    p95: float = 0.25


class Plan(NamedTuple):
    """A whole release: the steps up to, and without, 100 %."""

    steps: tuple[Step, ...] = (
        Step(1),
        Step(10),
        Step(50, most_s=1800, unproven="hold"),
    )
    errors: Rise = Rise()
    p50: Slowing = Slowing(0.5)
    p95: Slowing = Slowing(0.95)
    guard: Guard = Guard()
    budget: Budget = Budget()
