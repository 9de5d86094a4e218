"""The counts in DynamoDB, for as long as Redis takes none: an item for each minute of a version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.errors import StoreUnavailableError
from tidegate.outcomes.tally import Batch, Source
from tidegate.stores.aws import DynamoClient

KEPT_S = 7200
_AT_ONCE = 100  # keys of one BatchGetItem
_ATTEMPTS = 5
# Each environment's latest number is kept beside the counts, under its own name.
_NUMBER = "n:"


def partition_key(source: Source, minute: int) -> str:
    """Return the `pk` of a minute's item."""
    return f"outcomes#{'#'.join(source)}#{minute}"


def count(client: DynamoClient, table: str, source: Source, environment: str, batch: Batch) -> None:
    """Count a batch, unless this environment's batch of that number was counted.

    Raises:
        StoreUnavailableError: DynamoDB did not do it, or it isn't known whether it did.
    """
    names = {"#n": f"{_NUMBER}{environment}", "#x": "expires_at"}
    values = {":n": batch.number, ":x": batch.minute * 60 + KEPT_S}
    adds = []
    for i, (field, number) in enumerate(batch.fields.items()):
        names[f"#{i}"], values[f":{i}"] = field, number
        adds.append(f"#{i} :{i}")
    client.write(
        "UpdateItem",
        TableName=table,
        Key={"pk": {"S": partition_key(source, batch.minute)}},
        UpdateExpression=f"ADD {', '.join(adds)} SET #n = :n, #x = :x",
        ConditionExpression="attribute_not_exists(#n) OR #n < :n",
        ExpressionAttributeNames=names,
        ExpressionAttributeValues={name: {"N": str(number)} for name, number in values.items()},
    )


class TableMinutes:
    """Reads counts.

    Args:
        client: the way to DynamoDB.
        table: the table's name.
    """

    def __init__(self, client: DynamoClient, table: str) -> None:
        self._client = client
        self._table = table

    def read(self, source: Source, minutes: Sequence[int]) -> dict[int, dict[str, int]]:
        """Read what was counted, by minute and field; at most 100 minutes in one call.

        Raises:
            StoreUnavailableError: DynamoDB did not answer, or not all of it.
        """
        wanted = {partition_key(source, minute): minute for minute in minutes}
        keys = [{"pk": {"S": key}} for key in wanted]
        items = [item for at in range(0, len(keys), _AT_ONCE) for item in self._items(keys[at : at + _AT_ONCE])]
        return {wanted[item["pk"]["S"]]: _fields(item) for item in items}

    def close(self) -> None:
        """Let go of connections; the next reading opens new ones."""
        self._client.close()

    def _items(self, keys: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        asked: Mapping[str, Any] = {self._table: {"Keys": list(keys)}}
        for _ in range(_ATTEMPTS):
            answer = self._client.call("BatchGetItem", RequestItems=asked)
            items += answer.get("Responses", {}).get(self._table, [])
            asked = answer.get("UnprocessedKeys") or {}
            if not asked:
                return items
        raise StoreUnavailableError("dynamodb", "throttled", "not all counts were read")


def _fields(item: Mapping[str, Mapping[str, str]]) -> dict[str, int]:
    return {
        name: int(value["N"])
        for name, value in item.items()
        if name not in {"pk", "expires_at"} and not name.startswith(_NUMBER)
    }
