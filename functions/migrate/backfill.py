"""A table as a backfill sees it: pages of what is to be changed, and each item by a conditional update."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004  botocore's

from functions.migrate.checks import OURS
from functions.migrate.faults import TableMissingError, TableNotReadyError
from functions.migrate.journal import Progress
from functions.migrate.migration import Backfill, Item

SEGMENTS = 4
PAGE = 50  # items of a segment in a round: what a runner that is killed does twice at most, four times over
END = "end"


class Page(NamedTuple):
    """What is to be changed in a part of a segment, the cursor behind it, and how many items that were looked at."""

    items: tuple[Item, ...]
    cursor: Any
    scanned: int


class Table:
    """One of the project's tables (a boto3 client of DynamoDB)."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def size(self) -> int:
        """Tell how many items the table counts itself, which may be some hours old."""
        return int(self._described["ItemCount"])

    def key(self, item: Item) -> dict[str, Any]:
        """Return an item's key."""
        return {name: item[name] for name in self._key_names}

    def page(self, backfill: Backfill, segment: int, segments: int, cursor: Any) -> Page:
        """Find what is to be changed behind a cursor."""
        part = {"Segment": segment, "TotalSegments": segments, "Limit": PAGE}
        # Consistent: an item that was written a moment ago must not be passed by.
        told = self._client.scan(**self._filtered(backfill), **part, ConsistentRead=True, **_from(cursor))
        return Page(tuple(told["Items"]), told.get("LastEvaluatedKey", END), told["ScannedCount"])

    def matching(self, backfill: Backfill, start: Item | None) -> tuple[int, Item | None]:
        """Count the items of a page that would be changed; with the key to go on behind, or None at the end."""
        told = self._client.scan(**self._filtered(backfill), Select="COUNT", **_from(start))
        return told["Count"], told.get("LastEvaluatedKey")

    def change(self, backfill: Backfill, item: Item, turn: Callable[[], None]) -> bool:
        """Update an item as it is by now; False: it needs no change any more, or it has gone.

        `turn` is called before each write.
        """
        while True:
            turn()
            found = self._update(backfill, item)
            if found is item:
                return True
            if found is None or _read(backfill, found) == _read(backfill, item):
                return False
            item = found  # what was computed from has changed

    @cached_property
    def _described(self) -> Mapping[str, Any]:
        try:
            told: Mapping[str, Any] = self._client.describe_table(TableName=self._name)["Table"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            raise TableMissingError(f"there is no table {self._name}: deploy the stack that makes it") from error
        if told["TableStatus"] == "CREATING":  # an index that is still being made is no hindrance: UPDATING
            raise TableNotReadyError(f"the table {self._name} is still being made")
        return told

    @cached_property
    def _key_names(self) -> tuple[str, ...]:
        return tuple([part["AttributeName"] for part in self._described["KeySchema"]])

    def _update(self, backfill: Backfill, item: Item) -> Item | None:
        """Return the item itself if it was updated; else what is there instead of it."""
        unchanged, names, values = _as_read(backfill, item)
        key = f"#{OURS}key"
        # An update makes an item that isn't there.
        condition = " AND ".join([f"attribute_exists({key})", f"({backfill.where})", *unchanged])
        names, values = {**backfill.names, **names, key: self._key_names[0]}, {**backfill.values, **values}
        if backfill.computed:
            values |= backfill.computed(item)
        try:
            self._client.update_item(
                TableName=self._name,
                Key=self.key(item),
                UpdateExpression=backfill.update,
                ConditionExpression=condition,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **_placeholders(f"{backfill.update} {condition}", names, values),
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return dict(error.response).get("Item")  # type: ignore[return-value]  # DynamoDB's addition to the answer
        return item

    def _filtered(self, backfill: Backfill) -> dict[str, Any]:
        placeholders = _placeholders(backfill.where, backfill.names, backfill.values)
        return {"TableName": self._described["TableName"], "FilterExpression": backfill.where, **placeholders}


def ended(progress: Progress) -> bool:
    """Tell whether every segment has."""
    return bool(progress.cursors) and set(map(str, progress.cursors)) == {END}


def doubtful(error: Exception) -> bool:
    """Tell whether an update that ended so may have been done, as far as anybody knows."""
    if isinstance(error, ClientError):
        told = error.response.get("ResponseMetadata", {})
        return told.get("HTTPStatusCode", 500) >= 500 or bool(told.get("RetryAttempts"))
    return isinstance(error, HTTPClientError | ConnectionError)


def _read(backfill: Backfill, item: Item) -> list[Any]:
    return [item.get(name) for name in backfill.reads]


def _as_read(backfill: Backfill, item: Item) -> tuple[list[str], dict[str, str], dict[str, Any]]:
    """Make the conditions that what was computed from is as it was read, and their placeholders."""
    read = f"{OURS}read"
    conditions = [
        f"#{read}{at} = :{read}{at}" if name in item else f"attribute_not_exists(#{read}{at})"
        for at, name in enumerate(backfill.reads)
    ]
    names = {f"#{read}{at}": name for at, name in enumerate(backfill.reads)}
    values = {f":{read}{at}": item[name] for at, name in enumerate(backfill.reads) if name in item}
    return conditions, names, values


def _from(cursor: Any) -> dict[str, Any]:
    return {"ExclusiveStartKey": cursor} if cursor else {}


def _placeholders(expression: str, names: Mapping[str, str], values: Mapping[str, Any]) -> dict[str, Any]:
    """Pick those that an expression has: DynamoDB refuses others."""
    used = set(re.findall(r"[#:]\w+", expression))
    named = {name: of for name, of in names.items() if name in used}
    valued = {name: value for name, value in values.items() if name in used}
    return {
        **({"ExpressionAttributeNames": named} if named else {}),
        **({"ExpressionAttributeValues": valued} if valued else {}),
    }
