"""How an alias divides its traffic, as Lambda tells of it."""

from collections.abc import Mapping
from typing import Any


def shares(alias: Mapping[str, Any]) -> dict[str, float]:
    """Return each version's share of the traffic, 0 to 1, the main version's first."""
    weights = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    others = {str(version): float(weight) for version, weight in weights.items()}
    return {str(alias["FunctionVersion"]): 1 - sum(others.values()), **others}
