"""How a release shifts its traffic: `-c strategy=canary|linear|all-at-once`, or weights of your own."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

# The canary's weights in percent, up to and without 100.
STRATEGIES: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "canary": (1, 10, 50),
        "linear": (10, 20, 30, 40, 50, 60, 70, 80, 90),
        "all-at-once": (),
    }
)


# CodeDeploy's canary has two steps: one of these, then all.
CODEDEPLOY_CANARY: tuple[float, ...] = (10,)


class StrategyError(ValueError):
    """It is no strategy's name, and no list of weights; or it is none that CodeDeploy can follow."""


class Shift(NamedTuple):
    """What CodeDeploy knows: `percent` once and then all (canary), or as much again with each step (linear)."""

    kind: Literal["canary", "linear"]
    percent: int


def weights(strategy: str) -> tuple[float, ...]:
    """Return the weights of a strategy, or of a list such as "1,10,50" or "5,25,100"; raises StrategyError."""
    if strategy in STRATEGIES:
        return STRATEGIES[strategy]
    try:
        given = [float(word) for word in strategy.split(",")]
    except ValueError:
        given = []
    steps = given[:-1] if given and given[-1] == 100 else given  # that 100 % come at the end needn't be said
    if not given or any(not 0 < weight < 100 for weight in steps) or steps != sorted(set(steps)):
        raise StrategyError(
            f"strategy is {strategy!r}: it takes {', '.join(STRATEGIES)}, or rising percentages such as 1,10,50"
        )
    return tuple(steps)


def shift(weights: tuple[float, ...]) -> Shift | None:
    """Return how CodeDeploy gives these weights; None: everything at once. Raises StrategyError if it can't."""
    if not weights:
        return None
    percent = int(weights[0])
    if len(weights) == 1 and weights[0] == percent:
        return Shift("canary", percent)
    if percent and weights == tuple(range(percent, 100, percent)):
        return Shift("linear", percent)
    raise StrategyError(
        f"CodeDeploy can't shift by {', '.join(f'{weight:g}' for weight in weights)}: it takes canary (one whole "
        "percentage, such as 10, then all), linear (equal steps, such as 20,40,60,80), or all-at-once"
    )
