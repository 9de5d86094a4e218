"""The outcome counts in DynamoDB while Redis takes none: an item for each minute of a version, read by the judge."""

from __future__ import annotations

from tidegate.outcomes.tally import Batch, Source
from tidegate.stores.dynamodb.client import DynamoClient

KEPT_S = 7200
# The prefix of an environment's latest batch number, which is kept beside the counts.
_NUMBER = "n:"


def partition_key(source: Source, minute: int) -> str:
    """Return the `pk` of a minute's item."""
    return f"outcomes#{'#'.join(source)}#{minute}"


def count(client: DynamoClient, table: str, source: Source, environment: str, batch: Batch) -> None:
    """Count a batch, unless this environment's batch of that number was counted.

    Raises:
        StoreUnavailableError: DynamoDB didn't do it, or may not have.
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
