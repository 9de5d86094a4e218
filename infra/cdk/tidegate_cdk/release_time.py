"""How long a release may take: CloudFormation waits for an hour, and the way back and the answer need their part."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tidegate_cdk.rollout import Rollout

# The longest that CloudFormation waits for a custom resource; the machine ends before that.
CLOUDFORMATION_S = 3600
MACHINE_S = 3540
# Of it: the way back, with what was expanded and the answer; and the lock, the questions and the warming.
BACK_S = 300
PREPARING_S = 240
# A step that is topped up sends ten times as many requests as take twenty seconds, and looks after each.
_TOP_UPS, _TOP_UP_S = 10, 20
ROOM_S = MACHINE_S - BACK_S - PREPARING_S


class ReleaseTimeError(ValueError):
    """A release couldn't end in time."""


def longest_s(release: Rollout) -> int:
    """Return for how long the steps and the bake may last in all, without proof."""
    last = len(release.weights) - 1
    kinds = [release.last_unproven if at == last else release.unproven for at in range(last + 1)]
    times = [release.last_most_s if at == last else release.most_s for at in range(last + 1)]
    topped_up_s = _TOP_UPS * (_TOP_UP_S + release.look_s)
    more = {"wait": 0, "hold": release.hold_s, "top_up": topped_up_s, "advance": 0}
    steps_s = [seconds * (2 if kind == "wait" else 1) + more[kind] for seconds, kind in zip(times, kinds, strict=True)]
    return sum(steps_s) + (release.bake_s if steps_s else 0)


def paced(release: Rollout, step_s: int) -> Rollout:
    """Have no step last longer without proof, nor the bake."""
    return replace(
        release,
        least_s=min(step_s, release.least_s),
        most_s=step_s,
        last_most_s=step_s,
        bake_s=min(step_s, release.bake_s),
    )


def check(release: Rollout, option: str = "-c step_s") -> None:
    """See that a release can end in time; `option` is what gives its steps another time.

    Raises:
        ReleaseTimeError: it can't; says what would do.
    """
    longest = longest_s(release)
    if longest <= ROOM_S:
        return
    fits_s = next((step_s for step_s in range(ROOM_S, 0, -1) if longest_s(paced(release, step_s)) <= ROOM_S), 0)
    mend = f"give {option}={fits_s} or less, or fewer steps" if fits_s else "have fewer steps, or hold for less"
    weights = ", ".join(f"{weight:g}" for weight in release.weights)
    raise ReleaseTimeError(
        f"the steps {weights} may last {longest} s without proof, and {ROOM_S} s is all that a release has, for "
        f"CloudFormation waits for an hour and the way back needs its part: {mend}"
    )
