"""Idempotency claims in DynamoDB: fenced conditional writes, so that losing Redis can't run a handler twice.

One item per key. `attempt_id` is the fence: renewing, completing and releasing are conditions on it, so a holder
that outlived its claim (a zombie) can't overwrite its successor's. The claim's deadline (when another attempt may
take over what a crashed one left) is apart from the answer's lifetime (how long it is replayed).

A free key is claimed by a put, in one call. A claim that somebody left is taken over by an update, which keeps
its recovery points. Deadlines are written and compared by the one clock that this store is given. If that follows
DynamoDB's answers, it may be minutes off before the first one: nothing is taken over by it, and what was written by it
is written again if it was wrong.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tidegate.clock import Clock
from tidegate.messages import (
    ClaimAnswer,
    ClaimRequest,
    Completed,
    Granted,
    InProgress,
    Mismatch,
    OutcomeUnknown,
    Unreadable,
    partition_key,
)
from tidegate.stores.dynamodb.client import DynamoClient, Item, Written
from tidegate.stores.dynamodb.clock import ReferenceClock

_NAMES = {"#state": "state"}
_NOBODY = {"S": "-"}
_LONG_AGO = {"N": "0"}
# An answer's date tells whole seconds: it corrects a clock that it agrees with by half a second, to no use.
_WRONG_BY_MS = 1000


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
        self._follows = clock if isinstance(clock, ReferenceClock) else None

    def claim(self, request: ClaimRequest) -> ClaimAnswer:
        """Put the claim where none lives, or take it over: it is ours, or its holder's time is up."""
        told = self._follows is None or self._follows.known
        put, now_ms = self._put(request) if told else self._put_untold(request)
        if put.done:
            return Granted()
        if not put.item:  # released in this moment, or the engine hands no item back
            return InProgress(retry_after_ms=request.hold_ms)
        try:
            return self._beside(_Held.of(put.item), request, now_ms)
        except ValueError:  # it stands: what was done under it isn't known
            return Unreadable()

    def _beside(self, held: _Held, request: ClaimRequest, now_ms: int) -> ClaimAnswer:
        """Take over what stands in the way, or say what that is."""
        if not held.is_left(request, now_ms):
            return held.read(request, now_ms)
        taken = self._take_over(request, now_ms)
        if not taken.item:
            return InProgress(retry_after_ms=request.hold_ms)
        heir = _Held.of(taken.item)
        if not taken.done:
            return heir.read(request, now_ms)
        return Granted(heir.points, held.attempt_id != request.attempt_id)

    def recall(self, request: ClaimRequest) -> Completed | None:
        """Read the answer that is kept, if it is this request's; the one read that is made."""
        answer = self._client.call("GetItem", TableName=self.table, Key=_key(request), ConsistentRead=True)
        try:
            held = _Held.of(answer.get("Item") or {})
        except ValueError:
            return None
        now_ms = self._now_ms()
        known = None if held.expires_s <= now_ms // 1000 else held.read(request, now_ms)
        return known if isinstance(known, Completed) else None

    def renew(self, request: ClaimRequest, points: bytes = b"") -> bool:
        """Move the deadline, and write the recovery points, if the claim is still this attempt's."""
        values: Item = {":claimed": {"S": "claimed"}, **_times(request, self._now_ms())}
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
                ":expires": _seconds(self._now_ms() + request.lifetime_ms),
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

    def _put_untold(self, request: ClaimRequest) -> tuple[Written, int]:
        """Put the claim by a clock that is told the time by the answer alone, and put right what that shows wrong."""
        asked_s = self._clock.monotonic()
        put, asked_ms = self._put(request, or_expired=False)
        now_ms, told_ms = asked_ms + int((self._clock.monotonic() - asked_s) * 1000), self._now_ms()
        wrong = abs(told_ms - now_ms) > _WRONG_BY_MS
        now_ms = told_ms if wrong else now_ms
        if not put.done:
            return self._put(request) if _has_expired(put.item, now_ms) else (put, now_ms)
        if wrong and not self.renew(request):
            put = Written(done=False, item={})  # by the wrong time it was another's already
        return put, now_ms

    def _put(self, request: ClaimRequest, *, or_expired: bool = True) -> tuple[Written, int]:
        """Put the claim if the key is free; return the result, and the time by which that was decided."""
        now_ms = self._now_ms()
        times, free = _times(request, now_ms), "attribute_not_exists(pk)"
        condition: Item = {"ExpressionAttributeValues": {":now": {"N": str(now_ms // 1000)}}} if or_expired else {}
        put = self._client.write(
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
            ConditionExpression=f"{free} OR expires_at <= :now" if or_expired else free,
            **condition,
        )
        return put, now_ms

    def _now_ms(self) -> int:
        return self._clock.wall_us() // 1000

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


def _has_expired(item: Item, now_ms: int) -> bool:
    try:
        return int(item["expires_at"]["N"]) <= now_ms // 1000
    except (KeyError, TypeError, ValueError):
        return False


def _times(request: ClaimRequest, now_ms: int) -> Item:
    return {":deadline": {"N": str(now_ms + request.hold_ms)}, ":expires": _seconds(now_ms + request.kept_ms)}


class _Held(NamedTuple):
    """What an item says."""

    fingerprint: str
    attempt_id: str
    deadline_ms: int
    expires_s: int
    record: bytes | None
    points: bytes

    @classmethod
    def of(cls, item: Item) -> _Held:
        """Read an item.

        Raises:
            ValueError: it is no claim.
        """
        try:
            state = item["state"]["S"]
            held = cls(
                item["fingerprint"]["S"],
                item["attempt_id"]["S"],
                int(item["deadline_ms"]["N"]),
                int(item["expires_at"]["N"]),
                bytes(memoryview(item["record"]["B"])) if state == "completed" else None,
                bytes(memoryview(item["points"]["B"])) if "points" in item else b"",
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError("the item is no claim") from error
        if state not in {"claimed", "completed"} or {type(held.fingerprint), type(held.attempt_id)} != {str}:
            raise ValueError("the item is no claim")
        return held

    def is_left(self, request: ClaimRequest, now_ms: int) -> bool:
        """Whether the claim may be taken over."""
        if self.record is not None or self.fingerprint != request.fingerprint:
            return False
        return self.attempt_id == request.attempt_id or (self.deadline_ms <= now_ms and not self._stands(request))

    def _stands(self, request: ClaimRequest) -> bool:
        """Whether the claim stands beyond its deadline, since nobody has given it up."""
        return request.holds_unknown and self.attempt_id not in {request.attempt_id, _NOBODY["S"]}

    def read(self, request: ClaimRequest, now_ms: int) -> ClaimAnswer:
        """Return what a request is told by which the item stood in the way."""
        if self.fingerprint != request.fingerprint:
            return Mismatch()
        if self.record is not None:
            return Completed(self.record)
        if self.deadline_ms <= now_ms and self._stands(request):
            return OutcomeUnknown(self.attempt_id, self.points)
        return InProgress(retry_after_ms=max(1, self.deadline_ms - now_ms))
