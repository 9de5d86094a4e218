"""Removal of damaged state from a limit's item: an attribute of another type, no whole number, or half a state.

No conditional write would ever succeed against such an attribute. It is removed if it is still as it was read, and the
limit then starts anew. Damaged claims aren't removed, since a handler may have run under one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tidegate.messages import Charge
from tidegate.stores.dynamodb.client import Item
from tidegate.stores.dynamodb.limits import attributes, state_of, whole


def damaged(item: Item, charges: Iterable[Charge], expires: str) -> tuple[str, ...]:
    """Return the names of the item's attributes that can't be the state of these charges' limits."""
    names = [
        name for charge in charges if state_of(item, charge) is None for name in attributes(charge) if name in item
    ]
    if expires in item and whole(item[expires]) is None:
        names.append(expires)
    return tuple(dict.fromkeys(names))


def removal(item: Item, names: Iterable[str]) -> dict[str, Any]:
    """Return the arguments of one UpdateItem that removes these attributes, if they are still as they were read."""
    places = {f"#d{i}": name for i, name in enumerate(names)}
    return {
        "UpdateExpression": "REMOVE " + ", ".join(places),
        "ConditionExpression": " AND ".join(f"{place} = :{place[1:]}" for place in places),
        "ExpressionAttributeNames": places,
        "ExpressionAttributeValues": {f":{place[1:]}": item[name] for place, name in places.items()},
    }
