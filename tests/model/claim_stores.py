"""Both stores of a claim in the model: one item in DynamoDB, one hash in Redis, each a value that can be compared.

What a call does is the library's own: its condition and update expressions, its Lua scripts. Here is only what carries
them out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from tests.model.redis_scripts import Kept, evaluated
from tests.model.resumption import Outside
from tests.simulation.idempotency_dynamodb import ConditionFailedError, SimulatedDynamoDB
from tidegate.messages import Question, Settlement, partition_key
from tidegate.stores.dynamodb.client import Item, Written
from tidegate.stores.redis.scripts import Call, Part, RefillClock, admit_call, read_claim, settle_call

SUBJECT, CLAIM_ID = "caller", "order-of-may"
PK = partition_key(CLAIM_ID)
TICK_MS = 5_000
_BORN_MS = 1_800_000_000_000
_UNTOUCHED_CLOCK = RefillClock((), "0:0:0:0")

Frozen = tuple[tuple[str, str, Any], ...]


def wall_ms(tick: float) -> int:
    """Return the true time at a tick, in epoch milliseconds."""
    return _BORN_MS + int(tick * TICK_MS)


class ModelClock:
    """The time as one environment has it: `skew` ticks from the truth, and monotonic all the same."""

    def __init__(self, outside: Outside, skew: int) -> None:
        self._outside, self._skew = outside, skew

    def wall_us(self) -> int:
        return wall_ms(self._outside.now + self._skew) * 1000

    def monotonic(self) -> float:
        return wall_ms(self._outside.now) / 1000


# ── DynamoDB ────────────────────────────────────────────────────────────────────────────────────────────────────────


class TableCall(NamedTuple):
    """A call of DynamoDB's, with the arguments that the library has written."""

    operation: str
    arguments: Mapping[str, Any]


class ModelClient:
    """Stands where `DynamoClient` does."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    def call(self, operation: str, **arguments: Any) -> Any:
        _, item = self._outside.ask("dynamodb", TableCall(operation, arguments))
        return {"Item": thawed(item)} if item else {}

    def write(self, operation: str, **arguments: Any) -> Written:
        done, item = self._outside.ask("dynamodb", TableCall(operation, arguments))
        return Written(done=done, item=thawed(item))


def carried_out(call: TableCall, item: Frozen | None) -> tuple[tuple[bool, Frozen | None], Frozen | None]:
    """Return what a call is answered (done, item), and the item after it."""
    server = SimulatedDynamoDB(lambda *_: None)
    if item:
        server.items[PK] = thawed(item)
    try:
        answer = server.execute(call.operation, dict(call.arguments))
    except ConditionFailedError as refused:
        return (False, frozen(refused.item)), item
    return (True, frozen(answer.get("Attributes") or answer.get("Item"))), frozen(server.items.get(PK))


def frozen(item: Mapping[str, Any] | None) -> Frozen | None:
    """Return an item that can be compared and hashed."""
    return tuple(sorted((name, *next(iter(value.items()))) for name, value in item.items())) if item else None


def thawed(item: Frozen | None) -> Item:
    """Return an item as DynamoDB's API has it."""
    return {name: {kind: content} for name, kind, content in item or ()}


def attribute(item: Frozen | None, name: str) -> Any:
    """Return an attribute's content; None: it isn't there."""
    return next((content for known, _, content in item or () if known == name), None)


# ── Redis ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class ModelRedis:
    """Stands where the failover chain does, as far as a claim asks it: what Redis can't do, nobody does."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    def settle(self, settlement: Settlement) -> bool:
        return bool(self._outside.ask("redis", _hashable(settle_call(settlement))))

    def ask_for(self, question: Question) -> Any:
        """Return what Redis knows of the question's claim."""
        part = Part((), question.claim)
        return read_claim(self._outside.ask("redis", _hashable(admit_call(question, part, _UNTOUCHED_CLOCK))), part)


def run_in_redis(call: Call, kept: Kept | None, tick: int) -> tuple[Any, Kept | None]:
    """Return what a call is replied, and what is kept after it; Redis' clock is right."""
    return evaluated(call, kept, wall_ms(tick))


def _hashable(call: Call) -> Call:
    return call._replace(keys=tuple(call.keys), arguments=tuple(call.arguments), fits=None)
