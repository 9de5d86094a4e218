"""Keeps moto's DynamoDB from growing and slowing down with what it holds (moto-ext 5.1.24, LocalStack 4.14's).

Two things are mended, in this process:

- For a rollback moto makes a deep copy of every table that a transaction names: 0.08 ms for each item that the table
  holds, while everybody else waits. Here a copy shares all items but those that the transaction touches.
- moto keeps every model object that it ever made in a list (`instances_tracked`), copies included, and DynamoDB's are
  made by the thousand: each item that a query returns is one. Here nothing is kept; only moto's own API would ask.
"""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from moto.dynamodb.models import dynamo_type, table
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table

_touched: ContextVar[Sequence[Any]] = ContextVar("touched", default=())


class _KeepsNothing(list[Any]):
    def append(self, _: Any) -> None:
        """Forget it."""


def mend() -> None:
    """Replace both; call it once, before the first table is made."""
    for module in (dynamo_type, table):
        for model in vars(module).values():
            if isinstance(model, type) and hasattr(model, "instances_tracked"):
                model.instances_tracked = _KeepsNothing()
    setattr(Table, "__deepcopy__", _copied)  # noqa: B010 - to a type checker it has no such attribute


@contextmanager
def transaction(items: Sequence[Any]) -> Iterator[None]:
    """Have tables copied for a rollback of these items of a TransactWriteItems request alone."""
    token = _touched.set(items)
    try:
        yield
    finally:
        _touched.reset(token)


def _copied(self: Any, memo: dict[int, Any]) -> Any:
    clone = object.__new__(type(self))
    memo[id(self)] = clone
    items = _touched.get()
    if items:
        vars(clone).update(vars(self), items=_items_to_restore(self, items))
    else:
        vars(clone).update(copy.deepcopy(vars(self), memo))
    return clone


def _items_to_restore(held: Any, operations: Sequence[Any]) -> Any:
    """Return a table's items: those that the operations touch are copies, for moto updates items in place."""
    restored = copy.copy(held.items)
    for operation in operations:
        [(_, described)] = operation.items()
        key = described.get("Key") or described.get("Item") or {}
        if described.get("TableName") != held.name or held.hash_key_attr not in key:
            continue
        first = DynamoType(key[held.hash_key_attr])
        if first not in held.items:
            continue
        if not held.has_range_key:
            restored[first] = copy.deepcopy(held.items[first])
        elif held.range_key_attr in key:
            second = DynamoType(key[held.range_key_attr])
            if restored[first] is held.items[first]:
                restored[first] = dict(held.items[first])
            if second in held.items[first]:
                restored[first][second] = copy.deepcopy(held.items[first][second])
    return restored
