"""DynamoDB in memory, at the library's own edge to it: `DynamoClient.call` and `.write`."""

from collections.abc import Callable
from typing import Any

from tests.simulation.idempotency_expressions import Item, condition, updated
from tests.simulation.idempotency_links import Link, Power
from tidegate.errors import StoreUnavailableError
from tidegate.stores.dynamodb.client import DynamoTimeouts, Written

Watch = Callable[[str, Item | None, Item | None], None]


class ConditionFailedError(Exception):
    """The condition didn't hold; `item` is what is there, `place` which part of a transaction it was."""

    def __init__(self, item: Item | None, place: int = 0) -> None:
        super().__init__("ConditionalCheckFailed")
        self.item = item or {}
        self.place = place


class SimulatedDynamoDB(Power):
    """One table; every write is strongly consistent, as DynamoDB's conditional writes are.

    `watch(pk, before, after)` sees each item that changes.
    """

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self.items: dict[str, Item] = {}
        self._watch = watch

    def execute(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        return dict(getattr(self, f"_{operation}")(**arguments))

    def expire(self, now_s: int) -> int:
        """What time to live does, some time after it is due; how many items it took."""
        due = [pk for pk, item in self.items.items() if "expires_at" in item and int(item["expires_at"]["N"]) < now_s]
        for pk in due:
            self._store(pk, None)
        return len(due)

    def _GetItem(self, Key: Item, **_: Any) -> dict[str, Any]:  # noqa: N802, N803  the API's names
        item = self.items.get(Key["pk"]["S"])
        return {"Item": item} if item else {}

    def _PutItem(self, Item: Item, **how: Any) -> dict[str, Any]:  # noqa: N802, N803  as above
        pk = Item["pk"]["S"]
        self._check(pk, how)
        self._store(pk, dict(Item))
        return {}

    def _UpdateItem(self, Key: Item, UpdateExpression: str, **how: Any) -> dict[str, Any]:  # noqa: N802, N803  as above
        pk = Key["pk"]["S"]
        self._check(pk, how)
        names, values = how.get("ExpressionAttributeNames", {}), how.get("ExpressionAttributeValues", {})
        after = updated(UpdateExpression, names, self.items.get(pk, Key), values)
        self._store(pk, after)
        return {"Attributes": after} if how.get("ReturnValues") == "ALL_NEW" else {}

    def _DeleteItem(self, Key: Item, **how: Any) -> dict[str, Any]:  # noqa: N802, N803  as above
        pk = Key["pk"]["S"]
        self._check(pk, how)
        self._store(pk, None)
        return {}

    def _TransactWriteItems(self, TransactItems: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N802, N803  as above
        parts = [next(iter(item.items())) for item in TransactItems]
        for place, (_, how) in enumerate(parts):
            self._check((how.get("Key") or how.get("Item"))["pk"]["S"], how, place)
        for verb, how in parts:
            if verb != "ConditionCheck":
                self.execute(f"{verb}Item", how)
        return {}

    def _check(self, pk: str, how: dict[str, Any], place: int = 0) -> None:
        holds = condition(how.get("ConditionExpression"), how.get("ExpressionAttributeNames", {}))
        item = self.items.get(pk)
        if not holds(item or {}, how.get("ExpressionAttributeValues", {})):
            raise ConditionFailedError(item, place)

    def _store(self, pk: str, after: Item | None) -> None:
        before = self.items.pop(pk, None)
        if after is not None:
            self.items[pk] = after
        if before != after:
            self._watch(pk, before, after)


class SimulatedClient:
    """Stands where `DynamoClient` does; repeats a call that fails as often as botocore would."""

    def __init__(self, link: Link, server: SimulatedDynamoDB, timeouts: DynamoTimeouts) -> None:
        self._link, self._server, self._attempts = link, server, timeouts.attempts

    def prepare(self) -> None:
        """Nothing to load."""

    def ready(self) -> None:
        """Nothing to wait for."""

    def warm(self) -> None:
        """Nothing to make."""

    def close(self) -> None:
        """Nothing to close."""

    def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        for left in reversed(range(self._attempts)):
            try:
                return self._link.through(lambda: self._server.execute(operation, arguments))
            except StoreUnavailableError:
                if not left:
                    raise
        raise AssertionError("at least one attempt is made")

    def write(self, operation: str, **arguments: Any) -> Written:
        try:
            answer = self.call(operation, **arguments)
        except ConditionFailedError as refused:
            return Written(done=False, item=dict(refused.item))
        return Written(done=True, item=answer.get("Attributes") or {})
