"""Is a release fit to begin? Asked before any client reaches a new version, whoever shifts the traffic."""

from __future__ import annotations

from collections.abc import Mapping

from functions.rollout.order import Order
from functions.rollout.smoke import Smoke


def faults(order: Order, stable: Mapping[str, str], schema: int | None, smoke: Smoke) -> list[str]:
    """Ask the new versions, by their numbers, and then those in force (`stable`) on the expanded schema.

    Returns what is wrong, one sentence each; empty: nothing. `schema` is the one in force; None: there is none.
    """
    moving = order.moving(stable)
    found = [fault for target in moving for fault in smoke.faults(target)]
    found += _schema_faults(order, schema, smoke)
    if found:
        return found
    old = [target._replace(version=stable[target.name]) for target in moving if stable]
    return [f"The version in force isn't well: {fault}" for target in old for fault in smoke.faults(target)]


def _schema_faults(order: Order, in_force: int | None, smoke: Smoke) -> list[str]:
    """Compare the schema that the new API was written for with the one in force."""
    if in_force is None:
        return []
    asked = [(target, smoke.schema_needed(target)) for target in order.targets if target.serves == "http"]
    return [
        f"{target.name} version {target.version} needs schema {needed}, and {in_force} is in force."
        for target, needed in asked
        if needed is not None and needed > in_force
    ]
