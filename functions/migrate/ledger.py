"""One item in DynamoDB: the lock of the one runner, with its fencing token, and the journal.

They are one item so that every write of the journal has the token for a condition: a runner that was taken for dead
can't write over its successor's. Source of the pattern: Kleppmann, "How to do distributed locking" (2016).
"""

from __future__ import annotations

import uuid
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from functions.migrate.clock import Clock
from functions.migrate.journal import Journal

# Longer than a runner is silent between two checkpoints: a round of a backfill, its retries included.
LEASE_S = 30.0

_NAMES = {
    "#token": "token",
    "#lease": "lease_until",
    "#holder": "holder",
}


class SupersededError(Exception):
    """The lock is another runner's by now."""


class Held(NamedTuple):
    """The lock, and the journal as it was when it was taken."""

    token: int
    journal: Journal


class Ledger:
    """The migrations' item of a namespace, in the library's table.

    Args:
        client: boto3's, of DynamoDB; it may repeat calls.
        table: the table's name.
        namespace: one runner at a time in each.
        clock: writes and compares the lease's end; all runners' must tell about the same.
    """

    def __init__(self, client: Any, table: str, namespace: str, clock: Clock) -> None:
        self._client = client
        self._item = {"TableName": table, "Key": {"pk": {"S": f"migrations#{namespace}"}}}
        self._clock = clock
        # A repeated call, whose first answer was lost, finds itself the holder.
        self._holder = uuid.uuid4().hex

    def take(self) -> Held | None:
        """Take the lock if it is free or its lease has ended; None: another runner has it."""
        now = self._clock.wall_s()
        told = self._update(
            "SET #lease = :until, #holder = :me ADD #token :one",
            "attribute_not_exists(#lease) OR #lease <= :now OR #holder = :me",
            {":until": _number(now + LEASE_S), ":now": _number(now), ":one": _number(1), ":me": {"S": self._holder}},
        )
        return Held(int(told["token"]["N"]), _journal(told)) if told else None

    def write(self, held: Held) -> None:
        """Write the journal and renew the lease.

        Raises:
            SupersededError: another runner has taken the lock over.
        """
        values = {
            ":until": _number(self._clock.wall_s() + LEASE_S),
            ":journal": {"S": held.journal.dumps()},
            ":schema": _number(held.journal.schema),
            ":contracted": _number(held.journal.contracted),
            ":token": _number(held.token),
        }
        names = {"#journal": "journal", "#schema": "schema_in_force", "#contracted": "contracted"}
        assigned = "SET #lease = :until, #journal = :journal, #schema = :schema, #contracted = :contracted"
        if not self._update(assigned, "#token = :token", values, names):
            raise SupersededError(f"another runner has taken over from {held.token}")

    def leave(self, held: Held) -> None:
        """Free the lock, unless it is another's."""
        self._update("SET #lease = :free", "#token = :token", {":free": _number(0), ":token": _number(held.token)})

    def read(self) -> Journal:
        """Read the journal without the lock."""
        return _journal(self._client.get_item(**self._item, ConsistentRead=True).get("Item", {}))

    def _update(
        self, assigned: str, condition: str, values: dict[str, Any], names: dict[str, str] | None = None
    ) -> Any:
        """Return the item as it is after a write; None: the condition doesn't hold."""
        used = {name: of for name, of in _NAMES.items() if name in f"{assigned} {condition}"}
        try:
            return self._client.update_item(
                **self._item,
                UpdateExpression=assigned,
                ConditionExpression=condition,
                ExpressionAttributeNames={**used, **(names or {})},
                ExpressionAttributeValues=values,
                ReturnValues="ALL_NEW",
            )["Attributes"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return None


def _number(value: float) -> dict[str, str]:
    return {"N": str(value)}


def _journal(item: Any) -> Journal:
    return Journal.loads(item["journal"]["S"]) if "journal" in item else Journal()
