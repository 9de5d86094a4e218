"""Queued requests in DynamoDB: one item each, moved from state to state by conditional writes.

The conditions are those of `request_state`: a cancellation and a begin, or two workers' ends, can't both win. Every
write is safe to repeat. An answer too large for one item goes on in items of its own, written before it is linked.
"""

from __future__ import annotations

from typing import Any

from tidegate.clock import Clock
from tidegate.mechanisms.request_state import MOST_RUNS, REACHED_FROM, QueuedItem, RequestState
from tidegate.stores.aws import DynamoClient, Item

# An item may have 400 KB.
PART_BYTES = 350_000


def partition_key(request_id: str, part: int = 0) -> str:
    """Return the `pk` of a request, or of a further part of its answer."""
    return f"request#{request_id}#{part}" if part else f"request#{request_id}"


class RequestTable:
    """Keeps queued requests in one DynamoDB table.

    Args:
        client: the way to DynamoDB; its attempts may repeat a write.
        table: the table's name.
        clock: where the time comes from.
        lifetime_ms: how long a request that has ended is kept.
    """

    def __init__(self, client: DynamoClient, table: str, clock: Clock, lifetime_ms: int) -> None:
        self._client = client
        self._table = table
        self._clock = clock
        self._lifetime_ms = lifetime_ms

    def put(self, item: QueuedItem) -> QueuedItem:
        """Keep a new request, and return it; or the one that is kept under its id already.

        Raises:
            StoreUnavailableError: it isn't known whether it is kept.
        """
        now_ms = self._now_ms()
        replaced = _listed("old", REACHED_FROM["queued"])
        written = self._client.write(
            "PutItem",
            TableName=self._table,
            Item=_attributes(item) | self._expiry(item.expires_ms),
            ConditionExpression="attribute_not_exists(pk) OR expires_at <= :now "
            f"OR #state IN ({', '.join(replaced)}) OR (#state = :queued AND expires_ms <= :now_ms)",
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={
                ":now": {"N": str(now_ms // 1000)},
                ":now_ms": {"N": str(now_ms)},
                ":queued": {"S": "queued"},
                **replaced,
            },
        )
        return item if written.done else _read(item.id, written.item)

    def find(self, request_id: str) -> QueuedItem | None:
        """Read a request, consistently.

        Raises:
            StoreUnavailableError: it can't be read.
        """
        key = {"pk": {"S": partition_key(request_id)}}
        found = self._client.call("GetItem", TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        if not found or int(found["expires_at"]["N"]) <= self._now_ms() // 1000:
            return None
        return _read(request_id, found)

    def begin(self, item: QueuedItem) -> bool:
        """Mark it as running; False if it has ended, has expired unbegun, or was begun too often.

        Raises:
            StoreUnavailableError: unknown.
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
        """Keep its answer; False if it had ended already.

        Raises:
            StoreUnavailableError: unknown.
        """
        first, *others = [record[at : at + PART_BYTES] for at in range(0, len(record), PART_BYTES)]
        for number, part in enumerate(others, start=1):
            pk = {"pk": {"S": partition_key(item.id, number)}}
            self._client.call(
                "PutItem", TableName=self._table, Item={**pk, "record": {"B": part}, **self._expiry(self._now_ms())}
            )
        values: Item = {":record": {"B": first}, ":parts": {"N": str(len(others))}}
        return self._close(item, "done", ", #record = :record, parts = :parts", "", values)

    def close(self, item: QueuedItem, state: RequestState) -> bool:
        """End it without an answer; False if it isn't where that may happen.

        Raises:
            StoreUnavailableError: unknown.
        """
        return self._close(item, state, "", "", {})

    def withdraw(self, item: QueuedItem) -> bool:
        """Cancel what couldn't be sent; False if it goes on, because another attempt has sent it.

        Raises:
            StoreUnavailableError: unknown.
        """
        return self._close(item, "cancelled", "", "attribute_not_exists(confirmed)", {})

    def confirm(self, item: QueuedItem) -> bool:
        """Note that it was sent by an attempt other than the one that put it; False if it was withdrawn meanwhile.

        Raises:
            StoreUnavailableError: unknown.
        """
        return self._write(item, ("queued", "running", "done"), "SET confirmed = :yes", "", {":yes": {"BOOL": True}})

    def record(self, item: QueuedItem) -> bytes:
        """Return the whole answer.

        Raises:
            StoreUnavailableError: it can't be read.
        """
        return item.record + b"".join(self._part(item.id, number) for number in range(1, item.parts + 1))

    def _part(self, request_id: str, number: int) -> bytes:
        key = {"pk": {"S": partition_key(request_id, number)}}
        found = self._client.call("GetItem", TableName=self._table, Key=key, ConsistentRead=True).get("Item") or {}
        return bytes(found["record"]["B"]) if found else b""

    def _close(self, item: QueuedItem, to: RequestState, also: str, condition: str, values: Item) -> bool:
        values = {**values, ":expires": self._expiry(self._now_ms())["expires_at"]}
        return self._move(item, to, f"SET #state = :to, expires_at = :expires{also} REMOVE #request", condition, values)

    def _move(self, item: QueuedItem, to: RequestState, update: str, condition: str, values: Item) -> bool:
        return self._write(item, REACHED_FROM[to], update, condition, {**values, ":to": {"S": to}})

    def _write(
        self, item: QueuedItem, origins: tuple[RequestState, ...], update: str, condition: str, values: Item
    ) -> bool:
        listed = _listed("from", origins)
        names = {"#state": "state", "#request": "request", "#record": "record"}
        used = {name: named for name, named in names.items() if name == "#state" or name in update}
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


_TEXTS = ("nonce", "state", "principal", "queue", "place", "fingerprint")
_NUMBERS = ("expires_ms", "runs", "parts")
_BYTES = ("request", "record")


def _attributes(item: QueuedItem) -> Item:
    return {
        "pk": {"S": partition_key(item.id)},
        **{name: {"S": getattr(item, name)} for name in _TEXTS},
        **{name: {"N": str(getattr(item, name))} for name in _NUMBERS},
        **{name: {"B": getattr(item, name)} for name in _BYTES if getattr(item, name)},
    }


def _read(request_id: str, item: Item) -> QueuedItem:
    values: dict[str, Any] = {name: item[name]["S"] for name in _TEXTS}
    values |= {name: int(item[name]["N"]) for name in _NUMBERS}
    values |= {name: bytes(item[name]["B"]) for name in _BYTES if name in item}
    return QueuedItem(id=request_id, **values)
