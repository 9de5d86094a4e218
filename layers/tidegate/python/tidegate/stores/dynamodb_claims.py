"""Idempotency claims in DynamoDB: fenced conditional writes, so that losing Redis can't run a handler twice.

One item per key. `attempt_id` is the fence: completing and releasing are conditions on it, so a holder that
outlived its claim (a zombie) can't overwrite its successor's. The claim's deadline (when another attempt may
take over what a crashed one left) is apart from the answer's lifetime (how long it is replayed).
"""

from __future__ import annotations

from typing import Any

from tidegate.clock import Clock
from tidegate.question import ClaimAnswer, ClaimRequest, Completed, Granted, InProgress, Mismatch
from tidegate.stores.aws import DynamoClient, Item

_NAMES = {"#state": "state"}


def partition_key(claim_id: str) -> str:
    """Return the `pk` under which a claim lies."""
    return f"claim#{claim_id}"


class DynamoClaims:
    """Guards effects in one DynamoDB table.

    Args:
        client: the way to DynamoDB; its attempts may repeat a write, each of these writes being safe to repeat.
        table: the table's name.
        clock: where the time comes from.
    """

    def __init__(self, client: DynamoClient, table: str, clock: Clock) -> None:
        self._client = client
        self.table = table
        self._clock = clock

    def claim(self, request: ClaimRequest) -> ClaimAnswer:
        """Put the claim where none lives: none was made, it expired, it is ours, or its holder's time is up."""
        now_ms = self._clock.wall_us() // 1000
        written = self._client.write(
            "PutItem",
            TableName=self.table,
            Item={
                "pk": {"S": partition_key(request.id)},
                "state": {"S": "claimed"},
                "fingerprint": {"S": request.fingerprint},
                "attempt_id": {"S": request.attempt_id},
                "deadline_ms": {"N": str(now_ms + request.hold_ms)},
                "expires_at": {"N": str((now_ms + request.kept_ms) // 1000 + 1)},
            },
            ConditionExpression="attribute_not_exists(pk) OR expires_at <= :now OR (#state = :claimed "
            "AND fingerprint = :fingerprint AND (deadline_ms <= :now_ms OR attempt_id = :mine))",
            ExpressionAttributeNames=_NAMES,
            ExpressionAttributeValues={
                ":now": {"N": str(now_ms // 1000)},
                ":now_ms": {"N": str(now_ms)},
                ":claimed": {"S": "claimed"},
                ":fingerprint": {"S": request.fingerprint},
                ":mine": {"S": request.attempt_id},
            },
        )
        return Granted() if written.done else _read(written.item, request, now_ms)

    def recall(self, request: ClaimRequest) -> Completed | None:
        """Read the answer that is kept, if it is this request's; the one read that is made."""
        answer = self._client.call(
            "GetItem", TableName=self.table, Key={"pk": {"S": partition_key(request.id)}}, ConsistentRead=True
        )
        item, now_ms = answer.get("Item"), self._clock.wall_us() // 1000
        if not item or int(item["expires_at"]["N"]) <= now_ms // 1000:
            return None
        known = _read(item, request, now_ms)
        return known if isinstance(known, Completed) else None

    def complete(self, request: ClaimRequest, record: bytes) -> bool:
        """Store the answer, if the claim is still this attempt's."""
        expires = (self._clock.wall_us() // 1000 + request.lifetime_ms) // 1000 + 1
        return self._fenced(
            "UpdateItem",
            request,
            UpdateExpression="SET #state = :completed, #record = :record, expires_at = :expires",
            ExpressionAttributeNames={**_NAMES, "#record": "record"},
            values={
                ":completed": {"S": "completed"},
                ":record": {"B": record},
                ":expires": {"N": str(expires)},
            },
            condition="attempt_id = :mine",
        )

    def release(self, request: ClaimRequest) -> bool:
        """Delete the claim, if it is still this attempt's and nothing was stored."""
        return self._fenced(
            "DeleteItem",
            request,
            ExpressionAttributeNames=_NAMES,
            values={":claimed": {"S": "claimed"}},
            condition="attempt_id = :mine AND #state = :claimed",
        )

    def _fenced(self, operation: str, request: ClaimRequest, *, condition: str, values: Item, **arguments: Any) -> bool:
        return self._client.write(
            operation,
            TableName=self.table,
            Key={"pk": {"S": partition_key(request.id)}},
            ConditionExpression=condition,
            ExpressionAttributeValues={":mine": {"S": request.attempt_id}, **values},
            **arguments,
        ).done


def _read(item: Item, request: ClaimRequest, now_ms: int) -> ClaimAnswer:
    """Read the item that stood in the way."""
    if not item:
        return InProgress(retry_after_ms=request.hold_ms)
    if item["fingerprint"]["S"] != request.fingerprint:
        return Mismatch()
    if item["state"]["S"] == "completed":
        return Completed(bytes(item["record"]["B"]))
    return InProgress(retry_after_ms=max(1, int(item["deadline_ms"]["N"]) - now_ms))
