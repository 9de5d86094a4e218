"""A way of releasing, as functions/rollout/order.py reads it."""

from typing import Any

from tidegate_cdk.release_time import BACK_S, MACHINE_S
from tidegate_cdk.rollout import Rollout


def way(release: Rollout) -> dict[str, Any]:
    """Write a way of releasing down for the controller."""
    last = len(release.weights) - 1
    steps: list[list[Any]] = [
        [
            weight,
            release.least_s,
            release.last_most_s if at == last else release.most_s,
            release.last_unproven if at == last else release.unproven,
        ]
        for at, weight in enumerate(release.weights)
    ]
    if steps and release.bake_s:
        # What harms is stopped at any second of it; that nothing did is enough to go on.
        steps.append([max(release.bake_percent, release.weights[-1]), release.bake_s, release.bake_s, "advance"])
    return {
        "steps": steps,
        "look_s": release.look_s,
        "warm": release.warm,
        "keep": release.keep,
        "hold_s": release.hold_s,
        "settle_s": release.settle_s,
        "stretch_s": release.stretch_s,
        "unattended": release.unattended,
        "replay_per_s": release.replay_per_s,
        "machine_s": MACHINE_S,
        "back_s": BACK_S,
    }
