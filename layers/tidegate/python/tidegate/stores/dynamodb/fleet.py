"""The fleet's count in DynamoDB, for the time in which Redis doesn't count it, because it is away.

One item holds the heartbeats of this window of time, and how many there were in the window before. One item takes a
thousand writes a second. So in a large fleet only some environments, drawn at random, write, and each stands for
several.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import NamedTuple

from tidegate.clock import Clock
from tidegate.errors import StoreUnavailableError
from tidegate.messages import Fleet
from tidegate.stores.dynamodb.client import DynamoClient, Item, Written
from tidegate.stores.dynamodb.limits import number, whole
from tidegate.stores.fleet import FleetView

BEAT_EVERY_S = 5
BEATS_PER_S = 200
_KEPT_S = 86_400


class FleetTable(NamedTuple):
    """The table of a fleet's common items.

    Attributes:
        client: the client for DynamoDB.
        table: the table's name.
        namespace: tells the fleets of several deployments apart.
    """

    client: DynamoClient
    table: str
    namespace: str


class FleetCounter:
    """Counts the fleet in DynamoDB.

    Args:
        place: the table with the count's item.
        clock: the reference clock.
        view: is given each count.
    """

    def __init__(self, place: FleetTable, clock: Clock, view: FleetView) -> None:
        self._place = place
        self._key = {"pk": {"S": f"fleet#{place.namespace}"}}
        self._clock = clock
        self._view = view
        self._window = -1

    @property
    def due(self) -> bool:
        """Whether this environment isn't counted in this window yet."""
        return self._window != self._current()

    def beat(self) -> None:
        """Count this environment.

        Raises:
            StoreUnavailableError: it may not be counted.
        """
        window = self._current()
        stands_for = -(-self._view.fleet.environments // (BEATS_PER_S * BEAT_EVERY_S))
        if stands_for > 1 and random.randrange(stands_for):  # noqa: S311  guards nothing
            self._window = window
            return
        counted = self._counted_on(window, stands_for)
        for _ in range(3):
            if counted.done:
                break
            counted = self._turn(window, counted.item, stands_for)
        if counted.done:
            self._window = window
            n, before = (whole(counted.item.get(name, {})) or 0 for name in ("n", "p"))
            # In the first window the count is incomplete.
            believed = self._view.fleet.environments if before == 0 else 1
            self._view.counted(Fleet(max(n, before, believed), n - 1))

    def _counted_on(self, window: int, stands_for: int) -> Written:
        try:
            return self._write("SET n = n + :ours", "w = :w", {":w": window, ":ours": stands_for})
        except StoreUnavailableError as error:
            if error.of_the_store:
                raise
            return self._opened(window, stands_for)  # the item holds no number that could be added to

    def _opened(self, window: int, stands_for: int) -> Written:
        """Begin the count anew, whatever the item holds."""
        values = {":w": window, ":ours": stands_for, ":before": 0}
        return self._write("SET w = :w, n = :ours, p = :before", "attribute_exists(pk)", values)

    def _turn(self, window: int, item: Item, stands_for: int) -> Written:
        """Open the window, and keep the last one's count; if another environment has opened it, count in it."""
        latest, counted = (whole(item.get(name, {})) for name in ("w", "n"))
        if item and (latest is None or counted is None):
            return self._opened(window, stands_for)
        latest = -1 if latest is None else latest
        if latest >= window:
            return self._write("SET n = n + :ours", "w = :w", {":w": latest, ":ours": stands_for})
        before = counted or 0 if latest == window - 1 else 0
        values = {":w": window, ":ours": stands_for, ":before": before}
        if not item:
            return self._write("SET w = :w, n = :ours, p = :before", "attribute_not_exists(w)", values)
        return self._write("SET w = :w, n = :ours, p = :before", "w = :latest", {**values, ":latest": latest})

    def _write(self, expression: str, condition: str, values: Mapping[str, int]) -> Written:
        expires = self._clock.wall_us() // 1_000_000 + _KEPT_S
        return self._place.client.write(
            "UpdateItem",
            TableName=self._place.table,
            Key=self._key,
            UpdateExpression=f"{expression}, expires_at = :expires",
            ConditionExpression=condition,
            ExpressionAttributeValues={name: number(n) for name, n in {**values, ":expires": expires}.items()},
            ReturnValues="ALL_NEW",
        )

    def _current(self) -> int:
        return self._clock.wall_us() // (BEAT_EVERY_S * 1_000_000)
