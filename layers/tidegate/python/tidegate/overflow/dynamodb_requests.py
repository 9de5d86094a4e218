"""Queued requests in DynamoDB: one item each, moved from state to state by conditional writes.

The conditions are those of `overflow.state`: of a cancellation and a begin, or of two workers' ends, only one succeeds.
Every write is safe to repeat. A response too large for one item continues in further items, which are written before
the item refers to them. Data that is read isn't trusted: a request whose item is malformed has failed.
"""

from __future__ import annotations

import re
from typing import Any

from tidegate.clock import Clock
from tidegate.overflow.state import MOST_RUNS, REACHED_FROM, STATES, QueuedItem, RequestState
from tidegate.stores.dynamodb.client import DynamoClient, Item, Written

# An item may have 400 KB.
PART_BYTES = 350_000
# Far above the largest response of a Lambda function (6 MB).
MOST_PARTS = 64
_WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII)


def partition_key(request_id: str, part: int = 0) -> str:
    """Return the `pk` of a request, or of a further part of its response."""
    return f"request#{request_id}#{part}" if part else f"request#{request_id}"


class RequestTable:
    """Keeps queued requests in one DynamoDB table.

    Args:
        client: the client of DynamoDB; its attempts may repeat a write.
        table: the table's name.
        clock: gives the time.
        lifetime_ms: how long a request that has ended is kept.
    """

    def __init__(self, client: DynamoClient, table: str, clock: Clock, lifetime_ms: int) -> None:
        self._client = client
        self._table = table
        self._clock = clock
        self._lifetime_ms = lifetime_ms

    def put(self, item: QueuedItem) -> QueuedItem:
        """Keep a new request, and return it; or return the one that is kept under its id already.

        Raises:
            StoreUnavailableError: it isn't known whether it is kept.
        """
        now_ms = self._now_ms()
        now_s = {":now": {"N": str(now_ms // 1000)}}
        written = self._put(item, "attribute_not_exists(pk) OR expires_at <= :now", now_s)
        if written.done:
            return item
        old = _read(item.id, written.item)
        if old.unreadable or not _never_ran(old, now_ms):
            return old
        # The same client keeps the address that it has; another one gets a new address.
        secret = old.secret if old.belongs_to(item.principal, item.credentials) else ""
        again = item._replace(secret=secret or item.secret)
        written = self._put(
            again,
            f"nonce = :old AND (#state IN ({', '.join(_REPLACED)}) OR (#state = :queued AND expires_ms <= :now_ms))",
            {":old": {"S": old.nonce}, ":queued": {"S": "queued"}, ":now_ms": {"N": str(now_ms)}, **_REPLACED},
            {"ExpressionAttributeNames": {"#state": "state"}},
        )
        return again if written.done else _read(item.id, written.item)

    def _put(self, item: QueuedItem, condition: str, values: Item, names: dict[str, Any] | None = None) -> Written:
        return self._client.write(
            "PutItem",
            TableName=self._table,
            Item=_attributes(item) | self._expiry(item.expires_ms),
            ConditionExpression=condition,
            ExpressionAttributeValues=values,
            **(names or {}),
        )

    def find(self, request_id: str) -> QueuedItem | None:
        """Read a request, consistently.

        Raises:
            StoreUnavailableError: it can't be read.
        """
        key = {"pk": {"S": partition_key(request_id)}}
        found = self._client.call("GetItem", TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        if not found:
            return None
        expires_s = _whole(found.get("expires_at"))
        gone = expires_s is not None and expires_s <= self._now_ms() // 1000
        return None if gone else _read(request_id, found)

    def begin(self, item: QueuedItem) -> bool:
        """Mark a request as running; False if it has ended, has expired before it began, or was begun too often.

        Raises:
            StoreUnavailableError: the outcome is unknown.
        """
        return self._move(
            item,
            "running",
            "SET #state = :to, runs = runs + :one",
            "runs < :most AND (#state = :running OR expires_ms > :now_ms)",
            {
                ":one": {"N": "1"},
                ":most": {"N": str(MOST_RUNS)},
                ":running": {"S": "running"},
                ":now_ms": {"N": str(self._now_ms())},
            },
        )

    def end(self, item: QueuedItem, record: bytes) -> bool:
        """Keep a request's response; False if it had ended already.

        Raises:
            StoreUnavailableError: the outcome is unknown.
            ValueError: the response is larger than `MOST_PARTS` parts.
        """
        first, *others = [record[at : at + PART_BYTES] for at in range(0, len(record), PART_BYTES)]
        if len(others) > MOST_PARTS:
            raise ValueError(f"an answer of {len(record)} bytes is too large to be kept")
        for number, part in enumerate(others, start=1):
            pk = {"pk": {"S": partition_key(item.id, number)}}
            self._client.call(
                "PutItem", TableName=self._table, Item={**pk, "record": {"B": part}, **self._expiry(self._now_ms())}
            )
        values: Item = {":record": {"B": first}, ":parts": {"N": str(len(others))}}
        return self._close(item, "done", ", #record = :record, parts = :parts", "", values)

    def close(self, item: QueuedItem, state: RequestState) -> bool:
        """End a request without a response; False if its state doesn't permit that.

        Raises:
            StoreUnavailableError: the outcome is unknown.
        """
        return self._close(item, state, "", "", {})

    def fail(self, item: QueuedItem, reason: str) -> bool:
        """End a request that can't be run, and keep it for an operator; False if its state doesn't permit that.

        Args:
            item: the request.
            reason: why, for its client.

        Raises:
            StoreUnavailableError: the outcome is unknown.
        """
        values: Item = {":reason": {"S": reason}, ":expires": self._expiry(self._now_ms())["expires_at"]}
        update = "SET #state = :to, expires_at = :expires, #reason = :reason"
        return self._move(item, "failed", update, "", values)

    def revive(self, item: QueuedItem, expires_ms: int) -> QueuedItem | None:
        """Queue a failed request once more; None if it hasn't failed, or isn't kept any more.

        Args:
            item: the request.
            expires_ms: after this it isn't begun; epoch milliseconds.

        Raises:
            StoreUnavailableError: the outcome is unknown.
        """
        values: Item = {
            ":to": {"S": "queued"},
            ":none": {"N": "0"},
            ":until": {"N": str(expires_ms)},
            ":empty": {"S": ""},
            ":expires": self._expiry(expires_ms)["expires_at"],
        }
        update = "SET #state = :to, runs = :none, expires_ms = :until, expires_at = :expires, #reason = :empty"
        if not self._write(item, ("failed",), update, "attribute_exists(#request)", values):
            return None
        return item._replace(state="queued", runs=0, expires_ms=expires_ms, reason="")

    def condemn(self, item: QueuedItem) -> bool:
        """End a request whose item is malformed, in any state; False if it isn't there any more.

        Raises:
            StoreUnavailableError: the outcome is unknown.
        """
        return self._client.write(
            "UpdateItem",
            TableName=self._table,
            Key={"pk": {"S": partition_key(item.id)}},
            UpdateExpression="SET #state = :failed, expires_at = :expires REMOVE #request",
            ConditionExpression="attribute_exists(pk)",
            ExpressionAttributeNames={"#state": "state", "#request": "request"},
            ExpressionAttributeValues={
                ":failed": {"S": "failed"},
                ":expires": self._expiry(self._now_ms())["expires_at"],
            },
        ).done

    def withdraw(self, item: QueuedItem) -> bool:
        """Cancel a request that couldn't be sent; False if it goes on, because another attempt has sent it.

        Raises:
            StoreUnavailableError: the outcome is unknown.
        """
        return self._close(item, "cancelled", "", "attribute_not_exists(confirmed)", {})

    def confirm(self, item: QueuedItem) -> bool:
        """Note that another attempt than the one that kept a request has sent it; False if it was withdrawn meanwhile.

        Raises:
            StoreUnavailableError: the outcome is unknown.
        """
        return self._write(item, ("queued", "running", "done"), "SET confirmed = :yes", "", {":yes": {"BOOL": True}})

    def record(self, item: QueuedItem) -> bytes:
        """Return the whole response, as it was stored.

        Raises:
            StoreUnavailableError: it can't be read.
        """
        return item.record + b"".join(self._part(item.id, number) for number in range(1, item.parts + 1))

    def _part(self, request_id: str, number: int) -> bytes:
        key = {"pk": {"S": partition_key(request_id, number)}}
        found = self._client.call("GetItem", TableName=self._table, Key=key, ConsistentRead=True).get("Item") or {}
        return _bytes(found.get("record")) or b""

    def _close(self, item: QueuedItem, to: RequestState, also: str, condition: str, values: Item) -> bool:
        values = {**values, ":expires": self._expiry(self._now_ms())["expires_at"]}
        return self._move(item, to, f"SET #state = :to, expires_at = :expires{also} REMOVE #request", condition, values)

    def _move(self, item: QueuedItem, to: RequestState, update: str, condition: str, values: Item) -> bool:
        return self._write(item, REACHED_FROM[to], update, condition, {**values, ":to": {"S": to}})

    def _write(
        self, item: QueuedItem, origins: tuple[RequestState, ...], update: str, condition: str, values: Item
    ) -> bool:
        listed = _listed("from", origins)
        names = {"#state": "state", "#request": "request", "#record": "record", "#reason": "reason"}
        used = {name: named for name, named in names.items() if name == "#state" or name in update + condition}
        whole = f"nonce = :nonce AND #state IN ({', '.join(listed)})" + (f" AND {condition}" if condition else "")
        return self._client.write(
            "UpdateItem",
            TableName=self._table,
            Key={"pk": {"S": partition_key(item.id)}},
            UpdateExpression=update,
            ConditionExpression=whole,
            ExpressionAttributeNames=used,
            ExpressionAttributeValues={":nonce": {"S": item.nonce}, **listed, **values},
        ).done

    def _expiry(self, from_ms: int) -> Item:
        return {"expires_at": {"N": str((from_ms + self._lifetime_ms) // 1000 + 1)}}

    def _now_ms(self) -> int:
        return self._clock.wall_us() // 1000


def _listed(prefix: str, states: tuple[RequestState, ...]) -> Item:
    return {f":{prefix}{number}": {"S": state} for number, state in enumerate(states)}


_REPLACED = _listed("from", REACHED_FROM["queued"])
_TEXTS = ("nonce", "principal", "queue", "place", "fingerprint")
_NUMBERS = ("expires_ms", "runs", "parts")
_BYTES = ("request", "record")
_LATER_TEXTS = ("secret", "credentials", "reason")  # an earlier release wrote none


def _never_ran(item: QueuedItem, now_ms: int) -> bool:
    return item.state in REACHED_FROM["queued"] or item.has_expired(now_ms)


def _attributes(item: QueuedItem) -> Item:
    return {
        "pk": {"S": partition_key(item.id)},
        "state": {"S": item.state},
        **{name: {"S": getattr(item, name)} for name in (*_TEXTS, *_LATER_TEXTS)},
        **{name: {"N": str(getattr(item, name))} for name in _NUMBERS},
        **{name: {"B": getattr(item, name)} for name in _BYTES if getattr(item, name)},
    }


def _read(request_id: str, item: Item) -> QueuedItem:
    """Read an item; of a malformed one only its owner's part, so that the owner learns of the failure."""
    texts = {name: _string(item.get(name)) for name in _TEXTS}
    later = {name: _string(item.get(name, {"S": ""})) for name in _LATER_TEXTS}
    numbers = {name: _whole(item.get(name)) for name in _NUMBERS}
    parts = {name: _bytes(item[name]) for name in _BYTES if name in item}
    state = _string(item.get("state"))
    values: dict[str, Any] = {**texts, **later, **numbers, **parts, "state": state}
    if state not in STATES or None in values.values() or not 0 <= values["parts"] <= MOST_PARTS:
        owner = {name: text or "" for name, text in (texts | later).items()}
        values = {**owner, "state": "failed", "expires_ms": 0, "unreadable": True}
    return QueuedItem(id=request_id, **values)


def _string(attribute: Any) -> str | None:
    value = attribute.get("S") if isinstance(attribute, dict) else None
    return value if isinstance(value, str) else None


def _whole(attribute: Any) -> int | None:
    value = attribute.get("N") if isinstance(attribute, dict) else None
    return int(value) if isinstance(value, str) and _WHOLE.fullmatch(value) else None


def _bytes(attribute: Any) -> bytes | None:
    value = attribute.get("B") if isinstance(attribute, dict) else None
    return bytes(value) if isinstance(value, bytes | bytearray) else None
