"""How a release goes by its evidence: CloudWatch's minutes are minutes late, and its steps are as long."""

from dataclasses import replace

from tidegate_cdk.metrics import Metrics
from tidegate_cdk.own_counts import TidegateCounts
from tidegate_cdk.release_time import ROOM_S, ReleaseTimeError, check, longest_s, paced
from tidegate_cdk.rollout import Rollout
from tidegate_cdk.strategy import weights

# A step's first minute is of environments that are new.
_NEW_S = 60
# So many minutes of a step are compared at least.
_COMPARED_S = 120
_MINUTE_S = 60
# Only in three minutes a version that fails is told from an environment that had a bad moment: metrics don't say which
# environment an error was of.
_TOLD_S = 180


def usual(evidence: Metrics | TidegateCounts) -> Rollout:
    """Return how a release goes by default."""
    if isinstance(evidence, TidegateCounts):
        return Rollout(replay_per_s=0, alarms=())
    settle_s = evidence.delay_s + _NEW_S
    least_s = settle_s + _COMPARED_S
    return Rollout(
        look_s=30,
        least_s=least_s,
        most_s=least_s + 60,
        last_most_s=900,
        bake_s=600,
        settle_s=settle_s,
        stretch_s=_MINUTE_S,
        replay_per_s=0,
        alarms=(),
    )


def in_time(release: Rollout, strategy: str | None, step_s: int | None) -> Rollout:
    """Give a release its strategy and the time of its steps; without one, as much as CloudFormation's hour has.

    Raises:
        StrategyError: there is no such strategy.
        ReleaseTimeError: the steps take too long, or no time.
    """
    if step_s is not None and not _is_whole(step_s):
        raise ReleaseTimeError(f"step_s={step_s!r}: write 1 or more, a whole number, or leave it away")
    if strategy is not None:
        release = replace(release, weights=weights(strategy))
    if step_s is None and longest_s(release) > ROOM_S:
        step_s = next(
            (fits for fits in range(release.most_s, 0, -1) if longest_s(paced(release, fits)) <= ROOM_S), None
        )
    if step_s is not None:
        release = paced(release, step_s)
    check(release, option="step_s")
    return release


def _is_whole(step_s: object) -> bool:
    return isinstance(step_s, int) and step_s >= 1


def as_late(release: Rollout, metrics: Metrics) -> Rollout:
    """Have a release wait for the minutes of metrics.

    Raises:
        ReleaseTimeError: it is too short for them.
    """
    # Before that a step's latencies are the former step's; and a minute's counts come at once.
    release = replace(
        release, settle_s=max(release.settle_s, metrics.delay_s), stretch_s=max(release.stretch_s, _MINUTE_S)
    )
    least_s = metrics.delay_s + release.look_s
    if release.weights and release.least_s < least_s:
        raise ReleaseTimeError(
            f"a step of {release.least_s} s ends before a minute of it has counted: give step_s={least_s} or more, "
            "or fewer steps"
        )
    told_s = metrics.delay_s + _TOLD_S
    if release.weights and shortest_s(release) < told_s:
        raise ReleaseTimeError(
            f"a release may be over in {shortest_s(release)} s, and a bad version is told from a good one in "
            f"{told_s} s: give step_s more, more steps, or a longer bake"
        )
    return release


def shortest_s(release: Rollout) -> int:
    """Return for how long a release is judged at least."""
    return release.least_s * len(release.weights) + release.bake_s
