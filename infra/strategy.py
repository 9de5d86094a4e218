"""How a release shifts its traffic: `-c strategy=canary|linear|all-at-once`, or weights of your own."""

from collections.abc import Mapping
from types import MappingProxyType

# The canary's weights in percent, up to and without 100.
STRATEGIES: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "canary": (1, 10, 50),
        "linear": (10, 20, 30, 40, 50, 60, 70, 80, 90),
        "all-at-once": (),
    }
)


class StrategyError(ValueError):
    """It is no strategy's name, and no list of weights."""


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
