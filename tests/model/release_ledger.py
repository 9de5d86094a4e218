"""The ledger's item in the model: the conditions and updates are those that the controller writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.model.release_programs import Item
from tests.simulation.idempotency_expressions import condition, updated

# As functions/rollout/ledger.py writes it: the expressions' reader knows no lists.
_APPENDED = "#history = list_append(if_not_exists(#history, :none), :entry)"


def update(call: Mapping[str, Any], item: Item | None) -> tuple[tuple[bool, Item | None], Item | None]:
    """Return what the update is answered (done, the item before), and the item after it."""
    names, values = call["ExpressionAttributeNames"], call["ExpressionAttributeValues"]
    before = dict(item or ())
    typed = {name: _typed(value) for name, value in before.items()}
    placed = {name: _typed(value) for name, value in values.items()}
    if not condition(call.get("ConditionExpression"), names)(typed, placed):
        return (False, None), item
    text = call["UpdateExpression"]
    assigned = text.replace(f", {_APPENDED}", "").replace(f"SET {_APPENDED}, ", "SET ").replace(f"SET {_APPENDED}", "")
    after = {name: _plain(value) for name, value in updated(assigned, names, typed, placed).items()}
    if assigned != text:
        after["history"] = (*before.get("history", ()), *values[":entry"])
    return (True, item), frozen(after)


def frozen(item: Mapping[str, Any]) -> Item:
    """Return an item that can be compared and hashed."""
    return tuple(sorted((name, tuple(value) if isinstance(value, list) else value) for name, value in item.items()))


def _typed(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int):
        return {"N": str(value)}
    return {"B" if isinstance(value, bytes) else "L" if isinstance(value, list | tuple) else "S": value}


def _plain(value: Mapping[str, Any]) -> Any:
    [(kind, content)] = value.items()
    return int(content) if kind == "N" else content
