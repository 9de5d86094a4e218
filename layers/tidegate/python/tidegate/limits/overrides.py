"""Limits changed at run time: one DynamoDB item overrides the arguments in the code.

The item is read in the background, at most once per `every_s` and environment, so that no request waits for it; a
change is in force everywhere within that time. An unreadable or invalid item changes nothing, and is logged.

    pk = "overrides#NAMESPACE", limits = {"<name of the limit>": {"rate": "5/s", "burst": 10, "shadow": true}}

Any argument of the limit but `name`, `per`, `shared`, `cost` and `unit` may be given; `"off": true` suspends the limit.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from tidegate.clock import Clock
from tidegate.errors import ConfigurationError, StoreUnavailableError
from tidegate.limits.limit import Limit
from tidegate.telemetry import logger

if TYPE_CHECKING:
    from tidegate.stores.dynamodb.client import DynamoClient

_ENDS_WITHIN_S = 4.0
_FIXED = frozenset({"name", "per", "shared", "cost", "unit"})


class Overrides(NamedTuple):
    """The changes to limits.

    Attributes:
        limits: pairs of a limit's name and its changed arguments as a JSON object.
    """

    limits: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, limits: Mapping[str, Mapping[str, Any]]) -> Overrides:
        """Make them from changes by the limits' names."""
        return cls(tuple(sorted((name, json.dumps(changes, sort_keys=True)) for name, changes in limits.items())))

    def applied(self, limit: Limit) -> Limit | None:
        """Return a limit as it is to be applied; None if it is suspended."""
        return _applied(self, limit) if self.limits else limit


NONE = Overrides()


@lru_cache(maxsize=4096)
def _applied(overrides: Overrides, limit: Limit) -> Limit | None:
    changes = dict(overrides.limits).get(limit.name or "")
    if changes is None:
        return limit
    arguments = json.loads(changes)
    if not isinstance(arguments, dict) or not isinstance(off := arguments.pop("off", False), bool):
        return _refused(limit, f'{changes[:100]} is no set of arguments; write {{"rate": "5/s"}} or {{"off": true}}')
    return None if off else _changed(limit, arguments)


def _changed(limit: Limit, arguments: dict[str, Any]) -> Limit:
    unknown = set(arguments) - ({field.name for field in fields(limit) if field.init} - _FIXED)
    if unknown:
        return _refused(limit, f"these can't be changed at run time: {sorted(unknown)}")
    try:
        changed = replace(limit, **arguments)
    except (ConfigurationError, TypeError, ValueError) as error:
        return _refused(limit, str(error))
    if changed.never_admits and not limit.never_admits:
        return _refused(limit, f"its cost of {limit.cost} could never pass any more")
    return changed


def _refused(limit: Limit, detail: str) -> Limit:
    logger().warning("override not applied", extra={"limit": limit.name, "detail": detail})
    return limit


class OverridesReader:
    """Keeps the overrides up to date without ever making a request wait.

    Args:
        read: fetches the item's `limits` as a JSON object; raises `StoreUnavailableError`.
        clock: gives the time.
        every_s: seconds between two reads.
    """

    def __init__(self, read: Callable[[], Mapping[str, Mapping[str, Any]]], clock: Clock, every_s: float = 30) -> None:
        self._read = read
        self._clock = clock
        self._every_s = every_s
        self._due_at = float("-inf")
        self._lock = threading.Lock()
        self._reading: threading.Thread | None = None
        self.current = NONE

    def refresh_if_due(self) -> None:
        """Read the item on a thread of its own if it is time; cheap otherwise."""
        now = self._clock.monotonic()
        if now < self._due_at:
            return
        with self._lock:
            if now < self._due_at:
                return
            self._due_at = now + self._every_s
            self._reading = threading.Thread(target=self.refresh, name="tidegate-overrides", daemon=True)
            self._reading.start()

    def close(self) -> None:
        """Wait for a read that is under way, 4 s at most, which is above its client's timeouts."""
        if self._reading is not None:
            self._reading.join(_ENDS_WITHIN_S)

    def refresh(self) -> None:
        """Read the item now; if that fails, the present overrides stay in force."""
        try:
            self.current = Overrides.of(self._read())
        except StoreUnavailableError as error:
            logger().warning("overrides not read", extra={"store": error.store, "fault": error.kind})
        except (ValueError, TypeError, AttributeError) as error:
            logger().warning("overrides not valid", extra={"detail": str(error)})


def partition_key(namespace: str) -> str:
    """Return the `pk` of the item."""
    return f"overrides#{namespace}"


def read_overrides(client: DynamoClient, table: str, namespace: str) -> Mapping[str, Mapping[str, Any]]:
    """Read the changes by the limits' names; none if there is no such item.

    Raises:
        StoreUnavailableError: DynamoDB did not answer.
        ValueError: the item's `limits` isn't a JSON object of objects.
    """
    answer = client.call("GetItem", TableName=table, Key={"pk": {"S": partition_key(namespace)}})
    text = answer.get("Item", {}).get("limits", {"S": "{}"}).get("S")
    try:
        written = None if text is None else json.loads(text)
    except RecursionError as error:
        raise ValueError("the item's limits are too deep") from error
    if not isinstance(written, dict) or not all(isinstance(changes, dict) for changes in written.values()):
        raise ValueError("the item's limits are no JSON object of objects")
    return written


def write_overrides(client: DynamoClient, table: str, namespace: str, limits: Mapping[str, Mapping[str, Any]]) -> None:
    """Replace the changes; environments apply them at their next read.

    Raises:
        StoreUnavailableError: DynamoDB did not answer.
    """
    item = {"pk": {"S": partition_key(namespace)}, "limits": {"S": json.dumps(limits, sort_keys=True)}}
    client.call("PutItem", TableName=table, Item=item)
