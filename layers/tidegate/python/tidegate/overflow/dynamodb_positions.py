"""Each principal's queue: one item, with a map from a place to its expiry and its request's id.

The map bounds the queue, gives a request its position, and finds the same request if it waits already. Entering and
leaving are conditional writes of that one item, and safe to repeat; an orphaned entry expires. Data that is read isn't
trusted: a malformed entry counts as expired, and a malformed map is replaced.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock
from typing import Any, NamedTuple

from tidegate.clock import Clock
from tidegate.errors import StoreUnavailableError
from tidegate.stores.dynamodb.client import DynamoClient, Item, Written

REMEMBERS_S = 1.0
_REMEMBERED = 1000
_TRIES = 8
# The longest expression that DynamoDB takes has 4 KB.
_PRUNED_AT_ONCE = 50

# No entry that was written here ends later than this from now (`TIDEGATE_QUEUE_EXPIRY`, and clocks that differ).
_LONGEST_MS = 346_000_000
_WRITTEN = re.compile(r"([0-9]{1,15}):(.+)", re.ASCII)


class _Waiting(NamedTuple):
    """One entry as it is stored: its expiry, its request's id, and the attribute that holds both."""

    expires_ms: int
    id: str
    attribute: Any


Entries = Mapping[str, _Waiting]


def partition_key(queue: str) -> str:
    """Return the `pk` of a principal's queue."""
    return f"queue#{queue}"


class Entry(NamedTuple):
    """A place in a queue.

    Attributes:
        id: the request's.
        expires_ms: when it stops waiting; epoch milliseconds.
        position: how many requests wait up to it, itself included.
        own: whether this call entered it; if not, the same request waited already.
    """

    id: str
    expires_ms: int
    position: int
    own: bool


class WaitingTable:
    """Keeps the queues' maps in one DynamoDB table.

    Args:
        client: the way to DynamoDB; its attempts may repeat a write.
        table: the table's name.
        clock: gives the time.
        bound: how many requests of one principal may wait.
        remembers_s: for how many seconds a full queue counts as full without a write, so that one caller's storm of
            requests isn't a storm of writes.
    """

    def __init__(
        self, client: DynamoClient, table: str, clock: Clock, bound: int, remembers_s: float = REMEMBERS_S
    ) -> None:
        self._remembers_s = remembers_s
        self._full: OrderedDict[str, tuple[float, frozenset[str]]] = OrderedDict()
        self._lock = Lock()
        self._client = client
        self._table = table
        self._clock = clock
        self._bound = bound

    def enter(self, queue: str, place: str, request_id: str, expires_ms: int) -> Entry | None:
        """Take a place, or find the one that the same request has; None if the queue is full.

        It usually takes one write; more for a principal's first request, and to remove expired entries.

        Raises:
            StoreUnavailableError: the outcome is unknown; an entry that was made expires.
        """
        if self._surely_full(queue, place):
            return None
        made = f"{expires_ms}:{request_id}"
        for _ in range(_TRIES):
            tried = self._set(queue, place, made, expires_ms)
            waiting = self._entries(tried.item)
            if waiting is None:
                self._open(queue)
                continue
            if tried.done:
                return Entry(request_id, expires_ms, _position(waiting, place), own=True)
            found = waiting.get(place)
            if found is not None and found.expires_ms > self._now_ms():
                own = (found.expires_ms, found.id) == (expires_ms, request_id)  # a repeated write finds its own
                return Entry(found.id, found.expires_ms, _position(waiting, place), own)
            if not self._prune(queue, waiting):
                self._remember(queue, frozenset(waiting))
                return None
        raise StoreUnavailableError("dynamodb", "contended", "others enter this queue all the time")

    def leave(self, queue: str, place: str, request_id: str) -> None:
        """Give a place up, if it is this request's.

        Raises:
            StoreUnavailableError: the outcome is unknown; the entry expires.
        """
        self._client.write(
            "UpdateItem",
            TableName=self._table,
            Key=_key(queue),
            UpdateExpression="REMOVE waiting.#place",
            ConditionExpression="contains(waiting.#place, :id)",
            ExpressionAttributeNames={"#place": place},
            ExpressionAttributeValues={":id": {"S": f":{request_id}"}},
        )

    def position(self, queue: str, place: str) -> int | None:
        """Return how many requests wait up to a place, itself included; None if the place is empty.

        Raises:
            StoreUnavailableError: it can't be read.
        """
        found = self._client.call("GetItem", TableName=self._table, Key=_key(queue)).get("Item") or {}
        now_ms = self._now_ms()
        alive = {at: entry for at, entry in (self._entries(found) or {}).items() if entry.expires_ms > now_ms}
        return _position(alive, place) if place in alive else None

    def _surely_full(self, queue: str, place: str) -> bool:
        """Whether the queue was full a moment ago, and the request not in it."""
        with self._lock:
            until_s, places = self._full.get(queue, (float("-inf"), frozenset[str]()))
            return self._clock.monotonic() < until_s and place not in places

    def _remember(self, queue: str, places: frozenset[str]) -> None:
        with self._lock:
            self._full[queue] = (self._clock.monotonic() + self._remembers_s, places)
            self._full.move_to_end(queue)
            if len(self._full) > _REMEMBERED:
                self._full.popitem(last=False)

    def _set(self, queue: str, place: str, made: str, expires_ms: int) -> Written:
        return self._client.write(
            "UpdateItem",
            TableName=self._table,
            Key=_key(queue),
            UpdateExpression="SET waiting.#place = :made, expires_at = :expires",
            ConditionExpression="attribute_type(waiting, :map) AND attribute_not_exists(waiting.#place) "
            "AND size(waiting) < :bound",
            ExpressionAttributeNames={"#place": place},
            ExpressionAttributeValues={
                ":made": {"S": made},
                ":expires": _kept_until(expires_ms),
                ":map": {"S": "M"},
                ":bound": {"N": str(self._bound)},
            },
            ReturnValues="ALL_NEW",
        )

    def _open(self, queue: str) -> None:
        self._client.write(
            "PutItem",
            TableName=self._table,
            Item={**_key(queue), "waiting": {"M": {}}, "expires_at": _kept_until(self._now_ms())},
            ConditionExpression="NOT attribute_type(waiting, :map)",
            ExpressionAttributeValues={":map": {"S": "M"}},
        )

    def _prune(self, queue: str, waiting: Entries) -> bool:
        """Remove expired entries; False if there are none."""
        now_ms = self._now_ms()
        dead = [(at, entry) for at, entry in waiting.items() if entry.expires_ms <= now_ms][:_PRUNED_AT_ONCE]
        if not dead:
            return False
        self._client.write(
            "UpdateItem",
            TableName=self._table,
            Key=_key(queue),
            UpdateExpression="REMOVE " + ", ".join(f"waiting.#p{n}" for n in range(len(dead))),
            ConditionExpression=" AND ".join(f"waiting.#p{n} = :e{n}" for n in range(len(dead))),
            ExpressionAttributeNames={f"#p{n}": at for n, (at, _) in enumerate(dead)},
            ExpressionAttributeValues={f":e{n}": entry.attribute for n, (_, entry) in enumerate(dead)},
        )
        return True

    def _entries(self, item: Item) -> Entries | None:
        """Read a queue's map; None if there is none. Malformed entries count as expired, so that they are removed."""
        waiting = item.get("waiting", {}).get("M")
        if not isinstance(waiting, dict):
            return None
        latest_ms = self._now_ms() + _LONGEST_MS
        return {at: _waiting(attribute, latest_ms) for at, attribute in waiting.items()}

    def _now_ms(self) -> int:
        return self._clock.wall_us() // 1000


def _key(queue: str) -> Item:
    return {"pk": {"S": partition_key(queue)}}


def _waiting(attribute: Any, latest_ms: int) -> _Waiting:
    text = attribute.get("S") if isinstance(attribute, dict) else None
    read = _WRITTEN.fullmatch(text) if isinstance(text, str) else None
    if read is None or int(read[1]) > latest_ms:
        return _Waiting(0, "", attribute)
    return _Waiting(int(read[1]), read[2], attribute)


def _position(waiting: Entries, place: str) -> int:
    """Count in the order of acceptance, which is the order of expiry, because all may wait equally long."""
    return sum(entry.expires_ms <= waiting[place].expires_ms for entry in waiting.values())


def _kept_until(at_ms: int) -> dict[str, str]:
    """The table's TTL attribute: DynamoDB may delete the item a day after its last entry has expired."""
    return {"N": str(at_ms // 1000 + 86_400)}
