"""A backfill of 50,000 orders under traffic: two runners at once, the working one killed half-way, the other goes on.

    python -m tests.scenarios.migration

Four clients place orders and read them meanwhile, by the code that is deployed and by that of the schema before, half
of them each. Times are printed, not judged.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from functions.api.data.commit import Commit
from functions.api.data.driver import Driver
from functions.api.data.errors import DataUnavailableError
from functions.api.data.orders import OrderTable
from functions.api.domain.model import Basket, Order, PricedLine, Product
from functions.migrate.clock import SystemClock
from functions.migrate.journal import Journal
from functions.migrate.ledger import LEASE_S, Ledger
from tests.api.former import FormerOrderTable
from tests.api.tables import ShopTables
from tests.harness.dynamodb import DynamoServer
from tests.harness.server_process import ServerProcess

_STALLED_S = 1200.0
LAMP = Product("lamp", "Lamp", 2500, "EUR", 1_000_000)
_CLIENTS = 4


@dataclass(frozen=True)
class Plan:
    """How many orders there are before, how fast each client goes, and how long a slice and a lease are."""

    orders: int = 50_000
    each_s: float = 0.2
    slice_s: float = 5.0
    lease_s: float = LEASE_S
    page: int = 250  # more than it is: a scan of this engine costs as much as its table is long


@dataclass
class Outcome:
    """What was seen; times in seconds."""

    asked: Counter[str] = field(default_factory=Counter)
    slowest_ms: float = 0.0
    took_s: dict[str, float] = field(default_factory=dict)
    killed_at: int = 0
    journal: Journal = field(default_factory=Journal)
    answers: list[dict[str, Any]] = field(default_factory=list)
    items: list[dict[str, Any]] = field(default_factory=list)


def order_item(serial: int) -> dict[str, Any]:
    """An order as code of schema 0 wrote it."""
    line = {"product_id": {"S": "lamp"}, "name": {"S": "Lamp"}, "quantity": {"N": "1"}, "price": {"N": "2500"}}
    return {
        "id": {"S": f"old-{serial}"},
        "owner": {"S": f"key:{serial % 100}"},
        "status": {"S": "placed"},
        "items": {"L": [{"M": line}]},
        "total": {"N": "2500"},
        "currency": {"S": "EUR"},
        "created_at": {"S": "2026-01-01T00:00:00.000Z"},
    }


def run(plan: Plan) -> Outcome:
    """Fill the table, and expand it under traffic with a kill half-way."""
    outcome = Outcome()
    with ExitStack() as closing_:
        server = closing_.enter_context(DynamoServer())
        tables = ShopTables.create(server)
        tables.stock_up(LAMP)
        with _timed(outcome, "fill"):
            _fill(server, tables.orders, plan.orders)
        site = _Site(tables, Path(closing_.enter_context(tempfile.TemporaryDirectory())), plan, closing_)
        with _traffic(tables, plan, outcome):
            with _timed(outcome, "expand until the kill"):
                site.expand_and_be_killed()
            outcome.killed_at = site.journal().entries[1].progress.written
            with _timed(outcome, "expand after the kill"):
                outcome.answers += site.finish("r1")
        outcome.journal = site.journal()
        outcome.items = server.items(tables.orders)
    return outcome


class _Site:
    """The runners' processes, and where they write."""

    def __init__(self, tables: ShopTables, folder: Path, plan: Plan, closing_: ExitStack) -> None:
        self._tables, self._folder, self._plan, self._closing = tables, folder, plan, closing_

    def journal(self) -> Journal:
        with closing(self._tables.server.client(read_timeout=60)) as client:
            return Ledger(client, self._tables.library, "default", SystemClock()).read()

    def expand_and_be_killed(self) -> None:
        """A second runner waits for the lock, and takes it over from the first, which is SIGKILLed with it."""
        first = self._start("first", "r1", TIDEGATE_HANG_AFTER=str(self._plan.orders // 2))
        self._until(lambda: '"hangs"' in self._said("first"))
        self.second = self._start("second", "r1")
        self._until(lambda: "another runner has the lock" in self._said("second"))
        first.kill()

    def finish(self, release: str) -> list[dict[str, Any]]:
        """Wait for the second runner's end."""
        self._until(lambda: not self.second.running)
        return [json.loads(line) for line in self._said("second").splitlines() if line.startswith("{")]

    def _start(self, name: str, release: str, **variables: str) -> ServerProcess:
        argv = [sys.executable, "-m", "tests.scenarios.migration_runner", "expand", release, str(self._plan.slice_s)]
        environ = {**os.environ, **self._tables.environ, "TIDEGATE_TABLE": self._tables.library, **AWS, **variables}
        environ |= {"TIDEGATE_MIGRATE_WRITES_PER_S": "100000", "TIDEGATE_LEASE_S": str(self._plan.lease_s)}
        environ["TIDEGATE_PAGE"] = str(self._plan.page)
        process = ServerProcess(argv, log=self._folder / f"{name}.log", env=environ)
        process.launch()
        self._closing.callback(process.kill)
        return process

    def _said(self, name: str) -> str:
        log = self._folder / f"{name}.log"
        return log.read_text() if log.exists() else ""

    def _until(self, true: Any) -> None:
        deadline = time.monotonic() + _STALLED_S
        while not true():
            if time.monotonic() > deadline:
                raise TimeoutError(self._said("first")[-2000:] + self._said("second")[-2000:])
            time.sleep(0.05)


AWS = {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"} | dict.fromkeys(
    ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "test"
)


def _fill(server: DynamoServer, table: str, count: int) -> None:
    with closing(server.client(read_timeout=60)) as client, ThreadPoolExecutor(4) as pool:

        def put(at: int) -> None:
            batch = [{"PutRequest": {"Item": order_item(n)}} for n in range(at, min(at + 25, count))]
            client.batch_write_item(RequestItems={table: batch})

        list(pool.map(put, range(0, count, 25)))


@contextmanager
def _traffic(tables: ShopTables, plan: Plan, outcome: Outcome) -> Iterator[None]:
    """Clients that place orders and read what they placed, as long as the context is open."""
    stopped, lock = threading.Event(), threading.Lock()
    new, old = Driver(tables.settings), Driver(tables.settings)
    shops = [
        OrderTable(new, tables.orders, tables.products),
        FormerOrderTable(old, tables.orders, tables.products),
    ]

    def client(number: int) -> None:
        serial, shop = 0, shops[number % 2]
        while not stopped.wait(plan.each_s):
            serial += 1
            placed = Order(f"new-{number}-{serial}", f"key:{number}", "placed", _BASKET, "2026-02-01T00:00:00.000Z")
            begun = time.perf_counter()
            try:
                # Two at one product's stock refuse each other's transaction: the shop tries again.
                while shop.commit(placed, None) is Commit.CONFLICT:
                    pass
                answer = "answered" if shops[(serial + number) % 2].get(placed.id) == placed else "wrong"
            except DataUnavailableError:
                answer = "unavailable"
            took_ms = (time.perf_counter() - begun) * 1000
            with lock:
                outcome.asked[answer] += 1
                outcome.slowest_ms = max(outcome.slowest_ms, took_ms)

    with ThreadPoolExecutor(_CLIENTS) as pool:
        clients = [pool.submit(client, number) for number in range(_CLIENTS)]
        try:
            yield
        finally:
            stopped.set()
    for each in clients:
        each.result()


_BASKET = Basket((PricedLine("lamp", "Lamp", 1, LAMP.price),), "EUR")


@contextmanager
def _timed(outcome: Outcome, name: str) -> Iterator[None]:
    begun = time.monotonic()
    yield
    outcome.took_s[name] = time.monotonic() - begun


def report(plan: Plan, outcome: Outcome) -> str:
    """What a person reads."""
    entry = outcome.journal.entries[1]
    old = sum("total_minor" not in item for item in outcome.items if item["id"]["S"].startswith("old-"))
    return "\n".join(
        [
            f"{plan.orders} orders; " + ", ".join(f"{name} {took:.1f} s" for name, took in outcome.took_s.items()),
            f"killed at {outcome.killed_at} written; in the end {entry.state}",
            f"{entry.progress.read} read, {entry.progress.written} written",
            f"{len(outcome.answers)} invocations of the second runner",
            f"orders of before without the new form: {old}",
            f"traffic: {dict(outcome.asked)}, slowest {outcome.slowest_ms:.0f} ms",
        ]
    )


if __name__ == "__main__":
    os.environ.update(AWS)
    full = Plan()
    print(report(full, run(full)))  # noqa: T201  # what the program is for
