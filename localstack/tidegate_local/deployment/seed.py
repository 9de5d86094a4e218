"""What a project's tables have from the start."""

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

from boto3.dynamodb.types import TypeSerializer
from botocore.exceptions import ClientError

from tidegate_local import cloud
from tidegate_local.errors import FactsError
from tidegate_local.project_facts import ProjectFacts

_AS_DYNAMODB = TypeSerializer()


def sow(endpoint_url: str, outputs: Mapping[str, str], facts: ProjectFacts) -> dict[str, int]:
    """Put the items that aren't there yet, and tell how many, by the tables' names; those that are stay as they are.

    Raises:
        FactsError: the stack lacks a table's output, or a file isn't a list of items with the table's key.
    """
    added: dict[str, int] = {}
    with closing(cloud.client("dynamodb", endpoint_url)) as dynamodb:
        for seed in facts.seed:
            table = outputs.get(output := facts.tables[seed.table])
            if table is None:
                raise FactsError(f"The stack has no output {output}, which [tool.tidegate.tables] {seed.table} names.")
            key = [part["AttributeName"] for part in dynamodb.describe_table(TableName=table)["Table"]["KeySchema"]]
            put = sum(_put_if_absent(dynamodb, table, item, key[0]) for item in _items(seed.items, key))
            added[seed.table] = added.get(seed.table, 0) + put
    return added


def said(added: Mapping[str, int]) -> str:
    """Say what was added."""
    return ", ".join(f"{count or 'no'} {table} added" for table, count in added.items()) or "there is none"


def _items(file: Path, key: Sequence[str]) -> list[dict[str, Any]]:
    try:
        items = json.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)
    except (OSError, ValueError) as error:
        raise FactsError(f"The seed {file} can't be read as JSON: {error}") from error
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise FactsError(f"The seed {file} isn't a list of items: write [{{…}}, …], one object for each.")
    for at, item in enumerate(items):
        if missing := [name for name in key if name not in item]:
            raise FactsError(f"The seed {file} has no {' and no '.join(missing)} in item {at}: it is the table's key.")
    return items


def _put_if_absent(dynamodb: cloud.Client, table: str, item: Mapping[str, Any], key: str) -> bool:
    typed = {name: _AS_DYNAMODB.serialize(value) for name, value in item.items()}
    condition = {"ConditionExpression": "attribute_not_exists(#key)", "ExpressionAttributeNames": {"#key": key}}
    try:
        dynamodb.put_item(TableName=table, Item=typed, **condition)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return False
    return True
