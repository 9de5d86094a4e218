"""Limits changed at run time: what one DynamoDB item says goes before what the code says.

The item is read in the background, at most once per `every_s` and environment, so that no request waits for it; a
change is in force everywhere within that time. What can't be read, or isn't valid, changes nothing, and is logged.

    pk = "overrides#NAMESPACE", limits = {"<name of the limit>": {"rate": "5/s", "burst": 10, "shadow": true}}

Any argument of the limit but its name and whose it is may be given; `"off": true` takes it out of force.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from functools import lru_cache
from typing import Any, NamedTuple

from tidegate.clock import Clock
from tidegate.errors import ConfigurationError, StoreUnavailableError
from tidegate.limits.limit import Limit
from tidegate.telemetry import logger

_ENDS_WITHIN_S = 4.0
_FIXED = frozenset({"name", "per", "shared", "cost"})


class Overrides(NamedTuple):
    """What goes before the code.

    Attributes:
        limits: pairs of a limit's name and its changed arguments as a JSON object.
    """

    limits: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, limits: Mapping[str, Mapping[str, Any]]) -> Overrides:
        """Take changes by the limits' names."""
        return cls(tuple(sorted((name, json.dumps(changes, sort_keys=True)) for name, changes in limits.items())))

    def applied(self, limit: Limit) -> Limit | None:
        """Return a limit as it is to be applied; None if it is out of force."""
        return _applied(self, limit) if self.limits else limit


NONE = Overrides()


@lru_cache(maxsize=4096)
def _applied(overrides: Overrides, limit: Limit) -> Limit | None:
    changes = dict(overrides.limits).get(limit.name or "")
    if changes is None:
        return limit
    arguments = json.loads(changes)
    if arguments.pop("off", False):
        return None
    unknown = set(arguments) - ({field.name for field in fields(limit) if field.init} - _FIXED)
    if unknown:
        return _refused(limit, f"these can't be changed at run time: {sorted(unknown)}")
    try:
        return replace(limit, **arguments)
    except (ConfigurationError, TypeError, ValueError) as error:
        return _refused(limit, str(error))


def _refused(limit: Limit, detail: str) -> Limit:
    logger().warning("override not applied", extra={"limit": limit.name, "detail": detail})
    return limit


class OverridesReader:
    """Keeps the overrides fresh without ever making a request wait.

    Args:
        read: fetches the item's `limits` as a JSON object; raises `StoreUnavailableError`.
        clock: paces the reading.
        every_s: seconds between two readings.
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
        """Wait for a reading that is under way, 4 s at most: its client's timeouts bound it."""
        if self._reading is not None:
            self._reading.join(_ENDS_WITHIN_S)

    def refresh(self) -> None:
        """Read the item now; what is in force stays if it can't be read."""
        try:
            self.current = Overrides.of(self._read())
        except StoreUnavailableError as error:
            logger().warning("overrides not read", extra={"store": error.store, "fault": error.kind})
        except (ValueError, TypeError, AttributeError) as error:
            logger().warning("overrides not valid", extra={"detail": str(error)})
