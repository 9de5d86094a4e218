"""How a stage releases: weights, times and what is done without proof."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, get_args

from tidegate_cdk.setting_error import SettingError
from tidegate_cdk.strategy import STRATEGIES

Unproven = Literal["advance", "top_up", "wait", "hold"]
Unattended = Literal["roll_back", "go_on"]
By = Literal["tidegate", "codedeploy", "two-deploys"]
_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "unproven": get_args(Unproven),
        "last_unproven": get_args(Unproven),
        "unattended": get_args(Unattended),
        "by": get_args(By),
    }
)
# The controller gives Lambda a weight with four digits behind the point, of 1.
_LEAST_PERCENT = 0.01
_LEAST: Mapping[str, int] = MappingProxyType(
    {
        "look_s": 1,
        "least_s": 0,
        "most_s": 0,
        "last_most_s": 0,
        "hold_s": 0,
        "bake_s": 0,
        "settle_s": 0,
        "stretch_s": 0,
        "replay_per_s": 0,
        "warm": 0,
        "keep": 1,
    }
)


@dataclass(frozen=True)
class Rollout:
    """How a release goes: `weights` in percent up to and without 100, and the time of each step in seconds.

    A step lasts `least_s` at least; at `most_s` without proof either way it does what `unproven` says: advance, top_up
    (send recorded requests), wait, or hold for a person (for `hold_s` at most). The last step has limits of its own.
    After it the release bakes, judged, for `bake_s` at `bake_percent`. The judge looks every `look_s`; `warm`
    environments are started before any weight; `keep` versions stay. A step's first `settle_s` tell no latency; no
    `stretch_s` count for more than one environment's bad moment. `unattended`: what a hold comes to by itself.
    `replay_per_s`: recorded requests to each version where clients send too few, if a route allows it.
    Any of the `alarms` fails a release, where the stage has them.
    CloudFormation waits for an hour, so that all steps together must take less (release_time.py).
    `into_incident` says why a release begins though alarms ring.
    `by` "codedeploy" has CodeDeploy shift the traffic instead, each step lasting `most_s`; of the other settings it
    knows only the `alarms`. "two-deploys" leaves the custom resource out: whoever deploys starts the machine, between
    a deploy with `former`, the versions that the aliases name (logical ids by the functions' names), and one without.
    """

    weights: tuple[float, ...] = STRATEGIES["canary"]
    look_s: int = 10
    least_s: int = 60
    most_s: int = 120
    unproven: Unproven = "advance"
    last_most_s: int = 1200
    last_unproven: Unproven = "hold"
    hold_s: int = 600
    unattended: Unattended = "roll_back"
    bake_s: int = 840
    bake_percent: float = 75
    settle_s: int = 60
    stretch_s: int = 30
    replay_per_s: int = 40
    warm: int = 5
    keep: int = 5
    alarms: tuple[str, ...] = ("ServerErrors", "Latency", "Throttles")
    by: By = "tidegate"
    former: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    into_incident: str | None = None

    def __post_init__(self) -> None:
        """Refuse what the controller would find in the middle of a release, or never."""
        if not all(map(_is_weight, self.weights)) or list(self.weights) != sorted(set(self.weights)):
            raise SettingError(
                f"rollout has weights={self.weights!r}: write rising percentages, such as (1, 10, 50), of which "
                f"{_LEAST_PERCENT} is the least that Lambda takes"
            )
        for name, least in _LEAST.items():
            number = getattr(self, name)
            # Step Functions waits for whole seconds alone.
            if not isinstance(number, int) or isinstance(number, bool) or number < least:
                raise SettingError(f"rollout has {name}={number!r}: write a whole number, {least} or more")
        if not _is_weight(self.bake_percent):
            raise SettingError(f"rollout has bake_percent={self.bake_percent!r}: write more than 0 and less than 100")
        self._check_steps()
        for name, words in _WORDS.items():
            if getattr(self, name) not in words:
                raise SettingError(f"rollout has {name}={getattr(self, name)!r}: write one of {', '.join(words)}")

    def _check_steps(self) -> None:
        """Refuse a step that ends before it may."""
        ends = {"most_s": len(self.weights) > 1, "last_most_s": bool(self.weights)}
        for name, counts in ends.items():
            if counts and self.by != "codedeploy" and getattr(self, name) < self.least_s:
                raise SettingError(
                    f"rollout has {name}={getattr(self, name)}, and least_s={self.least_s}: write {name} of "
                    f"{self.least_s} or more, or least_s of {getattr(self, name)} or less"
                )


def _is_weight(percent: object) -> bool:
    return isinstance(percent, int | float) and _LEAST_PERCENT <= percent < 100
