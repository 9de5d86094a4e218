"""The item that changes limits at run time, in the same table as the claims."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tidegate.stores.aws import DynamoClient


def partition_key(namespace: str) -> str:
    """Return the `pk` of the item."""
    return f"overrides#{namespace}"


def read_overrides(client: DynamoClient, table: str, namespace: str) -> Mapping[str, Mapping[str, Any]]:
    """Read what is changed, by the limits' names; nothing if there is no such item.

    Raises:
        StoreUnavailableError: DynamoDB did not answer.
        ValueError: what is written there isn't a JSON object.
    """
    answer = client.call("GetItem", TableName=table, Key={"pk": {"S": partition_key(namespace)}})
    written = json.loads(answer.get("Item", {}).get("limits", {}).get("S", "{}"))
    if not isinstance(written, dict):
        raise ValueError("the item's limits are no JSON object")  # noqa: TRY004  what is written is wrong, not a type
    return written


def write_overrides(client: DynamoClient, table: str, namespace: str, limits: Mapping[str, Mapping[str, Any]]) -> None:
    """Replace what is changed; environments apply it at their next reading.

    Raises:
        StoreUnavailableError: DynamoDB did not answer.
    """
    item = {"pk": {"S": partition_key(namespace)}, "limits": {"S": json.dumps(limits, sort_keys=True)}}
    client.call("PutItem", TableName=table, Item=item)
