"""Who waits in whose queue: one item for each principal, a map from place to (when it expires, whose it is).

It bounds the queue, tells a request its position, and finds the same request among those that wait. Entering and
leaving are conditional writes of that one item, and safe to repeat; an entry that was left behind ends with its time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock
from typing import NamedTuple

from tidegate.clock import Clock
from tidegate.errors import StoreUnavailableError
from tidegate.stores.aws import DynamoClient, Item, Written

REMEMBERS_S = 1.0
_REMEMBERED = 1000
_TRIES = 8
# The longest expression that DynamoDB takes has 4 KB.
_PRUNED_AT_ONCE = 50

Entries = Mapping[str, str]


def partition_key(queue: str) -> str:
    """Return the `pk` of a principal's queue."""
    return f"queue#{queue}"


class Entry(NamedTuple):
    """A place in a queue.

    Attributes:
        id: the request's.
        expires_ms: when it has waited in vain.
        position: how many wait there up to it, itself included.
        own: whether this call has entered it; if not, the same request waits there already.
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
        clock: where the time comes from.
        bound: how many requests of one principal may wait.
        remembers_s: for how many seconds a queue that was full is taken for full, so that a storm of one caller's
            isn't one of writes.
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

        One call as a rule; more for the first request of all, and to clear away what has expired.

        Raises:
            StoreUnavailableError: unknown; an entry that was made ends with its time.
        """
        if self._surely_full(queue, place):
            return None
        made = f"{expires_ms}:{request_id}"
        for _ in range(_TRIES):
            tried = self._set(queue, place, made)
            waiting = _entries(tried.item)
            if tried.done:
                return Entry(request_id, expires_ms, _position(waiting, place), own=True)
            found = waiting.get(place)
            if found is not None and _expires_ms(found) > self._now_ms():
                own = found == made  # a repeated write finds its own
                return Entry(found.partition(":")[2], _expires_ms(found), _position(waiting, place), own)
            if not tried.item:
                self._open(queue)
            elif not self._prune(queue, waiting):
                self._remember(queue, frozenset(waiting))
                return None
        raise StoreUnavailableError("dynamodb", "contended", "others enter this queue all the time")

    def leave(self, queue: str, place: str, request_id: str) -> None:
        """Give a place up, if it is this request's.

        Raises:
            StoreUnavailableError: unknown; the entry ends with its time.
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
        """Return how many wait there up to a place, itself included; None if nobody waits at it.

        Raises:
            StoreUnavailableError: it can't be read.
        """
        waiting = _entries(self._client.call("GetItem", TableName=self._table, Key=_key(queue)).get("Item") or {})
        now_ms = self._now_ms()
        alive = {at: entry for at, entry in waiting.items() if _expires_ms(entry) > now_ms}
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

    def _set(self, queue: str, place: str, made: str) -> Written:
        return self._client.write(
            "UpdateItem",
            TableName=self._table,
            Key=_key(queue),
            UpdateExpression="SET waiting.#place = :made, expires_at = :expires",
            ConditionExpression="attribute_exists(waiting) AND attribute_not_exists(waiting.#place) "
            "AND size(waiting) < :bound",
            ExpressionAttributeNames={"#place": place},
            ExpressionAttributeValues={
                ":made": {"S": made},
                ":expires": _kept_until(_expires_ms(made)),
                ":bound": {"N": str(self._bound)},
            },
            ReturnValues="ALL_NEW",
        )

    def _open(self, queue: str) -> None:
        self._client.write(
            "PutItem",
            TableName=self._table,
            Item={**_key(queue), "waiting": {"M": {}}, "expires_at": _kept_until(self._now_ms())},
            ConditionExpression="attribute_not_exists(pk)",
        )

    def _prune(self, queue: str, waiting: Entries) -> bool:
        """Clear away what has waited in vain; False if there is nothing of the kind."""
        now_ms = self._now_ms()
        dead = [(at, entry) for at, entry in waiting.items() if _expires_ms(entry) <= now_ms][:_PRUNED_AT_ONCE]
        if not dead:
            return False
        self._client.write(
            "UpdateItem",
            TableName=self._table,
            Key=_key(queue),
            UpdateExpression="REMOVE " + ", ".join(f"waiting.#p{n}" for n in range(len(dead))),
            ConditionExpression=" AND ".join(f"waiting.#p{n} = :e{n}" for n in range(len(dead))),
            ExpressionAttributeNames={f"#p{n}": at for n, (at, _) in enumerate(dead)},
            ExpressionAttributeValues={f":e{n}": {"S": entry} for n, (_, entry) in enumerate(dead)},
        )
        return True

    def _now_ms(self) -> int:
        return self._clock.wall_us() // 1000


def _key(queue: str) -> Item:
    return {"pk": {"S": partition_key(queue)}}


def _entries(item: Item) -> Entries:
    return {at: entry["S"] for at, entry in item["waiting"]["M"].items()} if "waiting" in item else {}


def _expires_ms(entry: str) -> int:
    return int(entry.partition(":")[0])


def _position(waiting: Entries, place: str) -> int:
    """Count in the order of acceptance, which is that of expiry, all waiting equally long."""
    return sum(_expires_ms(entry) <= _expires_ms(waiting[place]) for entry in waiting.values())


def _kept_until(at_ms: int) -> dict[str, str]:
    """Write when the item may go, as the table's TTL attribute has it: a day after its last entry has expired."""
    return {"N": str(at_ms // 1000 + 86_400)}
