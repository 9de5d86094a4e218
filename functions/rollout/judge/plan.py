"""The plan of a release: its steps, the tolerances and regressions, and how often the judge may be wrong."""

from __future__ import annotations

from typing import Literal, NamedTuple

# The action after a step's time without proof: go on to more traffic, replay requests, give it more time, or wait for a
# person.
Unproven = Literal["advance", "top_up", "wait", "hold"]


class Step(NamedTuple):
    """One weight, for a time.

    Attributes:
        percent: the canary's weight; above 0, below 100.
        least_s: its shortest time, because some regressions need time to show.
        most_s: its longest time, proven or not.
        unproven: the action after that time without proof.
    """

    percent: float
    least_s: int = 60
    most_s: int = 300
    unproven: Unproven = "advance"


class Rise(NamedTuple):
    """The tolerance of failed requests; shares are of all requests.

    Attributes:
        tolerated_ratio, tolerated_extra: tolerated as long as canary <= ratio * (stable + extra).
        regression_ratio, regression_least: a regression if canary >= ratio * stable and canary >= least.
    """

    tolerated_ratio: float = 1.5
    tolerated_extra: float = 0.0002
    regression_ratio: float = 4.0
    regression_least: float = 0.004


class Slowing(NamedTuple):
    """The tolerance of a latency quantile.

    With q the quantile and Q stable's latency there: tolerated as long as the canary's share of requests slower than
    `tolerated_ratio * Q` exceeds stable's by at most (1 - q) / 2. A regression if its share of requests slower than
    `regression_ratio * Q` is at least 1 - q, that is, if its own quantile is there or beyond, and at least `far_ratio`
    times stable's share, because cache misses may be as slow in both.

    Attributes:
        quantile: 0.95 for p95.
        tolerated_ratio, regression_ratio: of the canary's quantile to stable's.
        least_us: the least Q in microseconds, because twice a millisecond is no harm.
        far_ratio: of the shares of requests beyond a regression's latency.
    """

    quantile: float
    tolerated_ratio: float = 1.5
    regression_ratio: float = 3.0
    least_us: int = 5_000
    far_ratio: float = 2.0


class Guard(NamedTuple):
    """The absolute bound of the canary's failures beyond stable's in the same time, cold requests included.

    Attributes:
        most_share: the share of all the canary's requests.
        least_requests: the canary's requests in the step from which on it applies.
    """

    most_share: float = 0.2
    least_requests: int = 50


class Refusals(NamedTuple):
    """The tolerance of refused requests, which is wide because shedding and limits depend on the fleet, not the
    version.

    Attributes:
        tolerated_ratio, tolerated_extra: canary <= ratio * (stable + extra), as shares of all requests, refused
        included.
    """

    tolerated_ratio: float = 2.0
    tolerated_extra: float = 0.05


class Outage(NamedTuple):
    """The definition of an outage of stable itself, whose looks aren't counted. All three bounds must be reached.

    Attributes:
        least_share: the least share of stable's requests that fail in a look.
        times_usual: the least multiple of its usual share of failures.
        least_failed: the least number of failures.
        most_s: the longest time, in one release, that isn't counted; a longer outage is judged as any other time.
        alarm_s: for so long after it an alarm may ring because of it.
    """

    least_share: float = 0.1
    times_usual: float = 3.0
    least_failed: int = 3
    most_s: int = 180
    alarm_s: int = 360


class Parts(NamedTuple):
    """How the budget of errors is divided among the ways to fail; the parts add up to 1."""

    all: float = 0.5
    routes: float = 0.25
    guard: float = 0.15
    refused: float = 0.1


class Budget(NamedTuple):
    """How often the judge may be wrong, over all its looks, steps and metrics.

    Attributes:
        false_rollbacks: the share of releases without any regression; `errors`, `p50` and `p95` divide it, and add up
            to 1.
        missed: the share of releases with a regression in any metric; it isn't divided, since all must be proven.
        doubtful: the same for a step that would hold at the end of its time, if a further step follows, in which the
            release is still judged and can be rolled back.
        parts: how `errors` is divided further.
    """

    false_rollbacks: float = 0.01
    missed: float = 0.05
    doubtful: float = 0.25
    errors: float = 0.5
    p50: float = 0.25
    p95: float = 0.25
    parts: Parts = Parts()


class Plan(NamedTuple):
    """The plan of a release.

    Attributes:
        steps: in order, without the last one to 100 %.
        errors, p50, p95, guard, refusals, outage, budget: the tolerances and the judge's error rates.
        settle_s: for so many seconds after a step began latency isn't compared, as its environments and caches are new.
        stretch_s: seconds of a stretch, in which evidence is settled. A single environment's event, such as a dead
            connection, lasts about as long, and the evidence of a stretch is bounded accordingly.
    """

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
    refusals: Refusals = Refusals()
    outage: Outage = Outage()
    settle_s: int = 60
    stretch_s: int = 30
