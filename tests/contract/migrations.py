"""Migrations on the engine: a table of orders, a runner that may be killed at any call, and a clock to be turned."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Any

from functions.migrate.backfill import Table
from functions.migrate.journal import Journal
from functions.migrate.ledger import Ledger
from functions.migrate.migration import Backfill, Migration
from functions.migrate.runner import Request, Runner
from functions.migrate.work import Bounds, Parts
from tests.harness.dynamodb import DynamoServer
from tests.harness.dynamodb_within import DynamoWithin

DAY_S = 86_400.0


class Killed(BaseException):
    """The process is no more: nothing of it gets to run again."""


class TurnedClock:
    """Tells what it was turned to; whoever sleeps turns it."""

    def __init__(self) -> None:
        self.now_s = 1_000_000.0

    def wall_s(self) -> float:
        return self.now_s

    def monotonic_s(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


class MortalClient:
    """A client of DynamoDB in a process that dies at its `calls`-th call; `after` that was done, or before."""

    def __init__(self, client: Any, calls: int | None = None, *, after: bool = False) -> None:
        self._client = client
        self._left = calls
        self._after = after

    def __getattr__(self, operation: str) -> Any:
        call = getattr(self._client, operation)

        def made(**arguments: Any) -> Any:
            if self._left is None:
                return call(**arguments)
            self._left -= 1
            if self._left < 0 or (self._left == 0 and not self._after):
                raise Killed
            answer = call(**arguments)
            if self._left == 0:
                raise Killed
            return answer

        return made


@dataclass
class Site:
    """A journal and some orders of an engine."""

    server: DynamoServer | DynamoWithin
    migrations: tuple[Migration, ...]
    oldest: int = 99
    clock: TurnedClock = field(default_factory=TurnedClock)

    def __post_init__(self) -> None:
        self.library = self.server.create_library_table()
        self.orders = self.server.create_table("orders", partition_key="id")
        # Threads of a killed runner may end late; none of them waits for long.
        self.client = self.server.client()

    def close(self) -> None:
        self.server.drop_table(self.orders)
        self.server.drop_table(self.library)
        self.client.close()

    def runner(self, *, client: Any = None, slice_s: float = 1e9, writes_per_s: float = 1e9) -> Runner:
        """Another process' runner."""
        client = client or self.client
        parts = Parts(self.migrations, self.clock, lambda _: Table(client, self.orders))
        ledger = Ledger(client, self.library, "test", self.clock)
        return Runner(parts, ledger, Bounds(slice_s, writes_per_s), self.oldest)

    def run(self, action: str, release: str | None = None, **options: Any) -> dict[str, Any]:
        """Run an action to its end."""
        while (told := self.runner().run(Request(action, release, **options)))["status"] == "more":
            assert "trouble" not in told["progress"], told
        return told

    def put(self, *orders: dict[str, Any]) -> None:
        for at in range(0, len(orders), 25):
            requests = [{"PutRequest": {"Item": order}} for order in orders[at : at + 25]]
            self.client.batch_write_item(RequestItems={self.orders: requests})

    def items(self) -> dict[str, dict[str, Any]]:
        return {item["id"]["S"]: item for item in self.server.items(self.orders)}

    def journal(self) -> Journal:
        return Ledger(self.client, self.library, "test", self.clock).read()

    def state(self, number: int = 1) -> str:
        entry = self.journal().entries.get(number)
        return entry.state if entry else "pending"


def order(serial: int, **more: Any) -> dict[str, Any]:
    """An order as code of schema 0 writes it."""
    return {"id": {"S": f"order-{serial}"}, "total": {"N": str(serial)}, "runs": {"N": "0"}, **more}


def renaming(number: int = 1, **changes: Any) -> Migration:
    """`total` becomes `total_minor`, and `runs` counts how often an order was changed by each part."""
    names = {"#old": "total", "#new": "total_minor", "#runs": "runs"}
    one = {":one": {"N": "1"}}
    parts = {
        "expand": Backfill(
            "orders",
            "attribute_exists(#old) AND attribute_not_exists(#new)",
            "SET #new = #old, #runs = #runs + :one",
            names,
            one,
        ),
        "contract": Backfill(
            "orders", "attribute_exists(#old)", "SET #new = if_not_exists(#new, #old) REMOVE #old", names
        ),
        "down": Backfill("orders", "attribute_exists(#new) AND attribute_exists(#old)", "REMOVE #new", names),
    }
    rest = {"checksum": "sum", "bake_s": int(DAY_S)}
    return Migration(number, f"{number:04d}_total", **{**rest, **parts, **changes})


@contextlib.contextmanager
def site(server: DynamoServer, *migrations: Migration, **options: Any):
    """A site that is removed after its use."""
    made = Site(server, migrations or (renaming(),), **options)
    try:
        yield made
    finally:
        made.close()
