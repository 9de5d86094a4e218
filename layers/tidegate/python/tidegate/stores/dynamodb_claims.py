"""Idempotency claims in DynamoDB: fenced conditional writes, so that losing Redis can't run a handler twice.

One item per key. `attempt_id` is the fence: renewing, completing and releasing are conditions on it, so a holder
that outlived its claim (a zombie) can't overwrite its successor's. The claim's deadline (when another attempt may
take over what a crashed one left) is apart from the answer's lifetime (how long it is replayed).

A free key is claimed by a put, in one call. A claim that somebody left is taken over by an update, which keeps
its recovery points. Deadlines are written and compared by the one clock that this store is given.
"""

from __future__ import annotations

from typing import Any

from tidegate.clock import Clock
from tidegate.question import ClaimAnswer, ClaimRequest, Completed, Granted, InProgress, Mismatch, partition_key
from tidegate.stores.aws import DynamoClient, Item, Written

_NAMES = {"#state": "state"}
_NOBODY = {"S": "-"}
_LONG_AGO = {"N": "0"}


class DynamoClaims:
    """Guards effects in one DynamoDB table.

    Args:
        client: the way to DynamoDB; its attempts may repeat a write, each of these writes being safe to repeat.
        table: the table's name.
        clock: where the time comes from; every environment's must tell the same, within the holds' margin.
    """

    def __init__(self, client: DynamoClient, table: str, clock: Clock) -> None:
        self._client = client
        self.table = table
        self._clock = clock

    def claim(self, request: ClaimRequest) -> ClaimAnswer:
        """Put the claim where none lives, or take it over: it is ours, or its holder's time is up."""
        now_ms = self._clock.wall_us() // 1000
        put = self._put(request, now_ms)
        if put.done:
            return Granted()
        if not _is_left(put.item, request, now_ms):
            return _read(put.item, request, now_ms)
        taken = self._take_over(request, now_ms)
        if not taken.done:
            return _read(taken.item, request, now_ms)
        return Granted(_points(taken.item), put.item["attempt_id"]["S"] != request.attempt_id)

    def recall(self, request: ClaimRequest) -> Completed | None:
        """Read the answer that is kept, if it is this request's; the one read that is made."""
        answer = self._client.call("GetItem", TableName=self.table, Key=_key(request), ConsistentRead=True)
        item, now_ms = answer.get("Item"), self._clock.wall_us() // 1000
        if not item or int(item["expires_at"]["N"]) <= now_ms // 1000:
            return None
        known = _read(item, request, now_ms)
        return known if isinstance(known, Completed) else None

    def renew(self, request: ClaimRequest, points: bytes = b"") -> bool:
        """Move the deadline, and write the recovery points, if the claim is still this attempt's."""
        values: Item = {":claimed": {"S": "claimed"}, **_times(request, self._clock.wall_us() // 1000)}
        assignments = "deadline_ms = :deadline, expires_at = :expires"
        if points:
            assignments += ", points = :points"
            values[":points"] = {"B": points}
        return self._fenced(
            "UpdateItem",
            request,
            UpdateExpression=f"SET {assignments}",
            ExpressionAttributeNames=_NAMES,
            values=values,
            condition="attempt_id = :mine AND #state = :claimed",
        ).done

    def complete(self, request: ClaimRequest, record: bytes) -> bool:
        """Store the answer, if the claim is still this attempt's."""
        return self._fenced(
            "UpdateItem",
            request,
            UpdateExpression="SET #state = :completed, #record = :record, expires_at = :expires REMOVE points",
            ExpressionAttributeNames={**_NAMES, "#record": "record"},
            values={
                ":completed": {"S": "completed"},
                ":record": {"B": record},
                ":expires": _seconds(self._clock.wall_us() // 1000 + request.lifetime_ms),
            },
            condition="attempt_id = :mine",
        ).done

    def release(self, request: ClaimRequest) -> bool:
        """Delete the claim, if it is still this attempt's and nothing was stored; leave it, if it has points."""
        deleted = self._fenced(
            "DeleteItem",
            request,
            ExpressionAttributeNames=_NAMES,
            values={":claimed": {"S": "claimed"}},
            condition="attempt_id = :mine AND #state = :claimed AND attribute_not_exists(points)",
        )
        return deleted.done or ("points" in deleted.item and self._leave(request))

    def _put(self, request: ClaimRequest, now_ms: int) -> Written:
        times = _times(request, now_ms)
        return self._client.write(
            "PutItem",
            TableName=self.table,
            Item={
                **_key(request),
                "state": {"S": "claimed"},
                "fingerprint": {"S": request.fingerprint},
                "attempt_id": {"S": request.attempt_id},
                "deadline_ms": times[":deadline"],
                "expires_at": times[":expires"],
            },
            ConditionExpression="attribute_not_exists(pk) OR expires_at <= :now",
            ExpressionAttributeValues={":now": {"N": str(now_ms // 1000)}},
        )

    def _take_over(self, request: ClaimRequest, now_ms: int) -> Written:
        return self._client.write(
            "UpdateItem",
            TableName=self.table,
            Key=_key(request),
            UpdateExpression="SET attempt_id = :mine, deadline_ms = :deadline, expires_at = :expires",
            ConditionExpression="#state = :claimed AND fingerprint = :fingerprint "
            "AND (deadline_ms <= :now_ms OR attempt_id = :mine)",
            ExpressionAttributeNames=_NAMES,
            ExpressionAttributeValues={
                ":claimed": {"S": "claimed"},
                ":fingerprint": {"S": request.fingerprint},
                ":mine": {"S": request.attempt_id},
                ":now_ms": {"N": str(now_ms)},
                **_times(request, now_ms),
            },
            ReturnValues="ALL_NEW",
        )

    def _leave(self, request: ClaimRequest) -> bool:
        """Let anybody take the claim over at once, by whatever clock."""
        return self._fenced(
            "UpdateItem",
            request,
            UpdateExpression="SET attempt_id = :nobody, deadline_ms = :long_ago",
            ExpressionAttributeNames=_NAMES,
            values={":nobody": _NOBODY, ":long_ago": _LONG_AGO, ":claimed": {"S": "claimed"}},
            condition="attempt_id = :mine AND #state = :claimed",
        ).done

    def _fenced(
        self, operation: str, request: ClaimRequest, *, condition: str, values: Item, **arguments: Any
    ) -> Written:
        return self._client.write(
            operation,
            TableName=self.table,
            Key=_key(request),
            ConditionExpression=condition,
            ExpressionAttributeValues={":mine": {"S": request.attempt_id}, **values},
            **arguments,
        )


def _key(request: ClaimRequest) -> Item:
    return {"pk": {"S": partition_key(request.id)}}


def _seconds(milliseconds: int) -> dict[str, str]:
    """Write a time as the table's TTL attribute has it, never too early."""
    return {"N": str(milliseconds // 1000 + 1)}


def _times(request: ClaimRequest, now_ms: int) -> Item:
    return {":deadline": {"N": str(now_ms + request.hold_ms)}, ":expires": _seconds(now_ms + request.kept_ms)}


def _is_left(item: Item, request: ClaimRequest, now_ms: int) -> bool:
    """Whether the item that stood in the way may be taken over."""
    if not item or item["state"]["S"] != "claimed" or item["fingerprint"]["S"] != request.fingerprint:
        return False
    return item["attempt_id"]["S"] == request.attempt_id or int(item["deadline_ms"]["N"]) <= now_ms


def _points(item: Item) -> bytes:
    return bytes(item["points"]["B"]) if "points" in item else b""


def _read(item: Item, request: ClaimRequest, now_ms: int) -> ClaimAnswer:
    """Read the item that stood in the way."""
    if not item:  # released in this moment, or the engine hands no item back
        return InProgress(retry_after_ms=request.hold_ms)
    if item["fingerprint"]["S"] != request.fingerprint:
        return Mismatch()
    if item["state"]["S"] == "completed":
        return Completed(bytes(item["record"]["B"]))
    return InProgress(retry_after_ms=max(1, int(item["deadline_ms"]["N"]) - now_ms))
