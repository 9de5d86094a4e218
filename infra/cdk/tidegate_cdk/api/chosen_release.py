"""How an API is released: by a strategy, or by weights and times."""

from tidegate_cdk.pacing import in_time
from tidegate_cdk.release_time import check
from tidegate_cdk.rollout import Rollout
from tidegate_cdk.strategy import shift


def chosen(release: Rollout | str | None) -> Rollout | None:
    """Return the release that a strategy names, or that is given, if it can end in time.

    Raises:
        StrategyError: there is no such strategy, or CodeDeploy can't shift by these weights.
        ReleaseTimeError: the steps don't fit into CloudFormation's hour.
    """
    # A strategy's steps take as long as the hour lets them.
    rollout = in_time(Rollout(), release, None) if isinstance(release, str) else release
    if rollout and rollout.by == "codedeploy":
        shift(rollout.weights)
    elif rollout:
        check(rollout, "Rollout's most_s and last_most_s")
    return rollout
