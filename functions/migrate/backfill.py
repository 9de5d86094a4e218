"""A backfill in rounds: a page of each segment of the table at once, and each item by a conditional update."""

from __future__ import annotations

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from functions.migrate.journal import Progress
from functions.migrate.migration import Backfill, Item

SEGMENTS = 4
PAGE = 50  # items of a segment in a round: what a runner that is killed does twice at most, four times over
KEY = "id"
END = "end"


class Page(NamedTuple):
    """A part of a segment that was worked on, and the cursor behind it."""

    cursor: Any
    read: int
    written: int


class Table:
    """One of the shop's tables (a boto3 client of DynamoDB)."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def size(self) -> int:
        """Tell how many items the table counts itself, which may be some hours old."""
        return int(self._client.describe_table(TableName=self._name)["Table"]["ItemCount"])

    def round(self, backfill: Backfill, progress: Progress) -> Progress:
        """Work on the next page of every segment that hasn't ended."""
        cursors = progress.cursors or (None,) * SEGMENTS
        with ThreadPoolExecutor(SEGMENTS) as pool:
            pages = list(pool.map(lambda at: self._page(backfill, at, cursors), range(len(cursors))))
        read, written = sum(page.read for page in pages), sum(page.written for page in pages)
        after = tuple([page.cursor for page in pages])
        return progress._replace(cursors=after, read=progress.read + read, written=progress.written + written)

    def matching(self, backfill: Backfill, start: Item | None) -> tuple[int, Item | None]:
        """Count the items of a page that would be changed; with the key to go on behind, or None at the end."""
        told = self._client.scan(**self._filtered(backfill), Select="COUNT", **_from(start))
        return told["Count"], told.get("LastEvaluatedKey")

    def _page(self, backfill: Backfill, segment: int, cursors: tuple[Any, ...]) -> Page:
        cursor = cursors[segment]
        if cursor == END:
            return Page(END, 0, 0)
        part = {"Segment": segment, "TotalSegments": len(cursors), "Limit": PAGE}
        # Consistent: an item that was written a moment ago must not be passed by.
        told = self._client.scan(**self._filtered(backfill), **part, ConsistentRead=True, **_from(cursor))
        written = sum(self._change(backfill, item) for item in told["Items"])
        return Page(told.get("LastEvaluatedKey", END), told["ScannedCount"], written)

    def _change(self, backfill: Backfill, item: Item) -> bool:
        """Update an item as it is by now; False: it needs no change any more, or it has gone."""
        while (found := self._update(backfill, item)) is not item:
            if found is None or _read(backfill, found) == _read(backfill, item):
                return False
            item = found  # what was computed from has changed
        return True

    def _update(self, backfill: Backfill, item: Item) -> Item | None:
        """Return the item itself if it was updated; else what is there instead of it."""
        unchanged, names, values = _as_read(backfill, item)
        # An update makes an item that isn't there.
        condition = " AND ".join([f"attribute_exists({KEY})", f"({backfill.where})", *unchanged])
        names, values = {**backfill.names, **names}, {**backfill.values, **values}
        if backfill.computed:
            values |= backfill.computed(item)
        try:
            self._client.update_item(
                TableName=self._name,
                Key={KEY: item[KEY]},
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
        return {"TableName": self._name, "FilterExpression": backfill.where, **placeholders}


def ended(progress: Progress) -> bool:
    """Tell whether every segment has."""
    return bool(progress.cursors) and set(map(str, progress.cursors)) == {END}


def _read(backfill: Backfill, item: Item) -> list[Any]:
    return [item.get(name) for name in backfill.reads]


def _as_read(backfill: Backfill, item: Item) -> tuple[list[str], dict[str, str], dict[str, Any]]:
    """Make the conditions that what was computed from is as it was read, and their placeholders."""
    conditions = [
        f"#read{at} = :read{at}" if name in item else f"attribute_not_exists(#read{at})"
        for at, name in enumerate(backfill.reads)
    ]
    names = {f"#read{at}": name for at, name in enumerate(backfill.reads)}
    values = {f":read{at}": item[name] for at, name in enumerate(backfill.reads) if name in item}
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
