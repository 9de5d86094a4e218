"""The tables of a stack: which of those that its outputs name are there no more."""

from collections.abc import Mapping
from contextlib import closing

from tidegate_local import cloud

_NAMES_A_TABLE = "Table"


def missing(endpoint_url: str, outputs: Mapping[str, str]) -> list[str]:
    """Name the tables that a stack's outputs name, and that the engine doesn't have."""
    gone = []
    with closing(cloud.client("dynamodb", endpoint_url)) as dynamodb:
        for output, table in outputs.items():
            if output.endswith(_NAMES_A_TABLE):
                try:
                    dynamodb.describe_table(TableName=table)
                except dynamodb.exceptions.ResourceNotFoundException:
                    gone.append(table)
    return gone
