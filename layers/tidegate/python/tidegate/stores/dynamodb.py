"""Decisions in DynamoDB, without a read: conditional writes on one item per subject.

A bucket in debt is charged by `tat = tat + cost`, as far as that stays within its depth; an idle one by
`tat = now + cost`. Which form is due isn't known beforehand, so the likelier one is written; a condition that
fails hands the item back as it is (`ReturnValuesOnConditionCheckFailure=ALL_OLD`), and from it either the
refusal is decided or the other form written. All buckets of a subject are attributes of one item, so that one
write charges all of them or none.

botocore can bound a connect and a read but not a call, so a decision runs on a thread and is waited for no
longer than its budget; the client's own timeouts only end what nobody waits for any more.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import TypeVar

from tidegate.algorithms.token_bucket import Taken, start_of_debt, take
from tidegate.clock import Clock
from tidegate.errors import StoreUnavailableError
from tidegate.question import Answer, Question, Settlement, limit_states
from tidegate.stores.aws import DynamoClient, Item

Result = TypeVar("Result")

_ATTEMPTS = 8
_EXPIRES = "expires_at"
_KEPT_AFTER_FULL_S = 60
_SUBJECTS_REMEMBERED = 1000


class DynamoStore:
    """Decides in one DynamoDB table.

    Args:
        client: the way to DynamoDB.
        table: the table's name; its partition key is `pk`, a string.
        clock: where the time comes from: DynamoDB has no clock to lend.
        budget_s: seconds after which a decision is given up.
    """

    name = "dynamodb"

    def __init__(self, client: DynamoClient, table: str, clock: Clock, budget_s: float) -> None:
        self._client = client
        self._table = table
        self._clock = clock
        self._budget_s = budget_s
        self._threads = ThreadPoolExecutor(max_workers=32, thread_name_prefix="tidegate-dynamodb")
        self._seen: OrderedDict[str, Mapping[str, int]] = OrderedDict()

    def admit(self, question: Question) -> Answer:
        """Charge all buckets in one conditional write; claims are asked of `DynamoClaims`."""
        if not question.charges:
            return Answer(admitted=True, limits=(), claim=None, store=self.name)
        return self._within_budget(lambda: self._decide(question))

    def settle(self, settlement: Settlement) -> bool:
        """Nothing to write: answers are kept by the claim store, copies for quick replays by Redis."""
        del settlement
        return True

    def probe(self, patience_s: float | None = None) -> None:
        """Write an item that expires; the client, if it isn't made yet, is made outside the budget."""
        self._client.warm()
        item = {"pk": {"S": "probe"}, "expires_at": {"N": str(self._clock.wall_us() // 1_000_000 + 60)}}
        self._within_budget(lambda: self._client.call("PutItem", TableName=self._table, Item=item), patience_s)

    def close(self) -> None:
        """Keep the client: botocore replaces dead connections by itself."""

    def _within_budget(self, call: Callable[[], Result], patience_s: float | None = None) -> Result:
        seconds = self._budget_s if patience_s is None else patience_s
        future = self._threads.submit(call)
        try:
            return future.result(seconds)
        except FutureTimeoutError as error:
            future.cancel()
            raise StoreUnavailableError(self.name, "timeout", f"no answer in {seconds * 1000:.0f} ms") from error

    def _decide(self, question: Question) -> Answer:
        tats, confirmed = self._seen.get(question.subject, {}), False
        for _ in range(_ATTEMPTS):
            now = self._clock.wall_us()
            taken = _take_all(question, tats, now) if confirmed else []
            if not all(t.allowed for t in taken):
                return _refused(question, taken, now)
            write = _write(question, tats, now)
            written = self._client.write(
                "UpdateItem",
                TableName=self._table,
                Key={"pk": {"S": f"limit#{question.subject}"}},
                ReturnValues="ALL_NEW",
                **write.arguments(),
            )
            tats, confirmed = _tats(written.item), True
            self._remember(question.subject, tats)
            if written.done:
                return _admitted(question, tats, now)
        raise StoreUnavailableError(self.name, "contended", f"the item changed {_ATTEMPTS} times while we wrote")

    def _remember(self, subject: str, tats: Mapping[str, int]) -> None:
        self._seen[subject] = tats
        if len(self._seen) > _SUBJECTS_REMEMBERED:
            self._seen.popitem(last=False)


@dataclass(frozen=True, slots=True)
class _Write:
    """The parts of an UpdateItem that charges every bucket, on condition that each admits."""

    assignments: tuple[str, ...]
    conditions: tuple[str, ...]
    names: Mapping[str, str]
    values: Mapping[str, int]

    def arguments(self) -> dict[str, object]:
        return {
            "UpdateExpression": "SET " + ", ".join(self.assignments),
            "ConditionExpression": " AND ".join(self.conditions),
            "ExpressionAttributeNames": dict(self.names),
            "ExpressionAttributeValues": {name: {"N": str(value)} for name, value in self.values.items()},
        }


def _write(question: Question, tats: Mapping[str, int], now: int) -> _Write:
    """Choose each bucket's form by the TAT it is believed to have."""
    depth = max(c.bucket.depth_us for c in question.charges)
    names = {"#expires": _EXPIRES}
    # Another route's deeper bucket may lie in the same item: it is never kept for less time than it was.
    values = {":expires": max(tats.get(_EXPIRES, 0), (now + depth) // 1_000_000 + _KEPT_AFTER_FULL_S)}
    assignments = ["#expires = :expires"]
    conditions = ["(attribute_not_exists(#expires) OR #expires <= :expires)"]
    for i, charge in enumerate(question.charges):
        base = start_of_debt(None, now, charge.known_debt_us)
        cost = charge.cost * charge.bucket.interval_us
        names[f"#k{i}"] = charge.key
        values[f":base{i}"] = base
        hopeless = base + cost > now + charge.bucket.depth_us
        if hopeless or tats.get(charge.key, 0) > base:  # a hopeless charge in this form fails, and hands the item back
            assignments.append(f"#k{i} = #k{i} + :cost{i}")
            conditions.append(f"#k{i} > :base{i} AND #k{i} <= :latest{i}")
            values[f":cost{i}"] = cost
            values[f":latest{i}"] = now + charge.bucket.depth_us - cost
        else:
            assignments.append(f"#k{i} = :tat{i}")
            conditions.append(f"(attribute_not_exists(#k{i}) OR #k{i} <= :base{i})")
            values[f":tat{i}"] = base + cost
    return _Write(tuple(assignments), tuple(conditions), names, values)


def _take_all(question: Question, tats: Mapping[str, int], now: int) -> list[Taken]:
    return [take(tats.get(c.key), now, c.bucket, c.cost, c.known_debt_us) for c in question.charges]


def _tats(item: Item) -> dict[str, int]:
    return {name: int(value["N"]) for name, value in item.items() if "N" in value}


def _refused(question: Question, taken: list[Taken], now: int) -> Answer:
    states = limit_states(question, taken, now, charged=False)
    return Answer(admitted=False, limits=states, claim=None, store=DynamoStore.name)


def _admitted(question: Question, tats: Mapping[str, int], now: int) -> Answer:
    """Read the answer off the item as it was written."""
    left = [take(tats[c.key], now, c.bucket, cost=0) for c in question.charges]
    states = limit_states(question, left, now, charged=True)
    return Answer(admitted=True, limits=states, claim=None, store=DynamoStore.name)
