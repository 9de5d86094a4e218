"""The fleet counted in DynamoDB, while Redis, which counts it with the heartbeats of decisions, is away.

One item: the heartbeats of this window of time, and how many there were in the last one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tidegate.clock import Clock
from tidegate.question import Fleet
from tidegate.stores.aws import DynamoClient, Item, Written
from tidegate.stores.dynamodb_charges import number
from tidegate.stores.fleet import FleetView

BEAT_EVERY_S = 5
_KEPT_S = 86_400


class FleetTable(NamedTuple):
    """Where a fleet keeps what it has in common: the way to DynamoDB, the table's name, and whose fleet it is."""

    client: DynamoClient
    table: str
    namespace: str


class FleetCounter:
    """Counts the fleet in DynamoDB.

    Args:
        place: where.
        clock: the reference clock.
        view: told of each count.
    """

    def __init__(self, place: FleetTable, clock: Clock, view: FleetView) -> None:
        self._place = place
        self._key = {"pk": {"S": f"fleet#{place.namespace}"}}
        self._clock = clock
        self._view = view
        self._window = -1

    @property
    def due(self) -> bool:
        """Whether this environment wasn't counted in this window yet."""
        return self._window != self._current()

    def beat(self) -> None:
        """Count this environment.

        Raises:
            StoreUnavailableError: it isn't known whether it was counted.
        """
        window = self._current()
        counted = self._write("SET n = n + :one", "w = :w", {":w": window, ":one": 1})
        for _ in range(3):
            if counted.done:
                break
            counted = self._turn(window, counted.item)
        if counted.done:
            self._window = window
            n, before = int(counted.item["n"]["N"]), int(counted.item["p"]["N"])
            # In its first window the count has only begun.
            believed = self._view.fleet.environments if before == 0 else 1
            self._view.counted(Fleet(max(n, before, believed), n - 1))

    def _turn(self, window: int, item: Item) -> Written:
        """Open the window, keeping the count of the one before; if somebody has opened it, be counted in it."""
        told = int(item["w"]["N"]) if item else -1
        if told >= window:
            return self._write("SET n = n + :one", "w = :w", {":w": told, ":one": 1})
        before = int(item["n"]["N"]) if told == window - 1 else 0
        values = {":w": window, ":one": 1, ":before": before}
        if not item:
            return self._write("SET w = :w, n = :one, p = :before", "attribute_not_exists(w)", values)
        return self._write("SET w = :w, n = :one, p = :before", "w = :told", {**values, ":told": told})

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
