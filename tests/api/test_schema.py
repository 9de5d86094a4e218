"""The shop between two schemas: N-1's code on the expanded tables, N's before the contract and after it."""

import contextlib

import pytest

from functions.api import readiness
from functions.api.data.commit import Commit
from functions.api.data.schema import SchemaInForce, SchemaTable
from functions.api.schema import SCHEMA_VERSION
from functions.migrate import invocation
from functions.migrate.backfill import Table
from functions.migrate.clock import SystemClock
from functions.migrate.files import load
from functions.migrate.ledger import Ledger
from functions.migrate.runner import Request, Runner
from functions.migrate.work import Bounds, Parts
from tests.api.conftest import connect, order
from tests.api.former import FormerOrderTable

A_YEAR_S = 365 * 86_400


class YearsLater(SystemClock):
    """When every bake time is over."""

    def wall_s(self):
        return super().wall_s() + A_YEAR_S


@pytest.fixture
def former(driver, tables):
    return FormerOrderTable(driver, tables.orders, tables.products)


@pytest.fixture
def migrate(tables):
    """`migrate("expand")` runs the shop's own migrations to their end; contracts find their bake time over."""
    with contextlib.closing(tables.server.client()) as client:

        def run(action):
            clock = YearsLater() if action == "contract" else SystemClock()
            names = {"orders": tables.orders, "products": tables.products}
            parts = Parts(load(invocation.VERSIONS, names), clock, lambda name: Table(client, names[name]))
            ledger = Ledger(client, tables.library, "default", clock)
            runner = Runner(parts, ledger, Bounds(3600, 100_000), oldest=SCHEMA_VERSION)
            release = None if action == "down" else f"to-{action}"
            told = runner.run(Request(action, release))
            assert told["status"] == "done", told
            return told

        yield run


def forms(tables):
    return {
        item["id"]["S"]: {name for name in ("total", "total_minor") if name in item} for item in tables.order_items()
    }


def test_the_code_of_before_works_on_the_expanded_tables(former, orders, migrate, tables):
    assert former.commit(order("before"), None) is Commit.WRITTEN
    migrate("expand")
    assert former.commit(order("after"), None) is Commit.WRITTEN
    assert orders.commit(order("new"), None) is Commit.WRITTEN
    everything = {name: order(name) for name in ("before", "after", "new")}
    assert {each.id: each for each in former.every()} == everything
    assert {each.id: each for each in former.owned_by("key:ann")} == everything
    assert former.get("new") == order("new")
    assert former.commit(order("new"), None) is Commit.ALREADY_THERE
    assert forms(tables) == {"before": {"total", "total_minor"}, "after": {"total"}, "new": {"total", "total_minor"}}


def test_the_new_code_works_before_the_contract_and_after_it(former, orders, migrate, tables):
    assert former.commit(order("before"), None) is Commit.WRITTEN
    assert orders.get("before") == order("before"), "before the expand, too"
    migrate("expand")
    assert former.commit(order("late"), None) is Commit.WRITTEN
    everything = {name: order(name) for name in ("before", "late")}
    assert {each.id: each for each in orders.every()} == everything
    migrate("contract")
    assert set(map(frozenset, forms(tables).values())) == {frozenset({"total_minor"})}
    assert {each.id: each for each in orders.every()} == everything
    assert {each.id: each for each in orders.owned_by("key:ann")} == everything
    assert orders.commit(order("new"), None) is Commit.WRITTEN
    assert orders.get("new") == order("new")


def test_taken_back_the_orders_are_as_the_code_of_before_wrote_them(former, orders, migrate, tables):
    assert former.commit(order("before"), None) is Commit.WRITTEN
    as_written = tables.order_items()
    migrate("expand")
    assert orders.commit(order("new"), None) is Commit.WRITTEN
    assert migrate("down")["schema"] == 0
    assert set(map(frozenset, forms(tables).values())) == {frozenset({"total"})}
    assert as_written[0] in tables.order_items()
    assert former.get("new") == order("new")


def test_the_api_sees_what_is_in_force(driver, tables, migrate):
    seen = SchemaTable(driver, tables.library, "default")
    assert seen.in_force() is None
    migrate("expand")
    assert seen.in_force() == SchemaInForce(1, 0)
    migrate("contract")
    assert seen.in_force() == SchemaInForce(1, 1)
    assert SchemaTable(driver, None, "default").in_force() is None


@pytest.mark.parametrize(
    ("schema", "contracted", "needed", "fault"),
    [
        (1, 0, 1, None),
        (1, 0, 0, None),
        (1, 1, 1, None),
        (0, 0, 1, "needs schema 1, and 0 is in force"),
        (1, 1, 0, "was written for schema 0, and what was before 1 has been taken away"),
    ],
)
def test_code_works_from_what_it_needs_to_what_is_left(schema, contracted, needed, fault):
    assert SchemaInForce(schema, contracted).fault(needed) == fault


@pytest.mark.anyio
async def test_code_whose_schema_is_not_in_force_is_not_ready(start, tables, migrate, monkeypatch):
    monkeypatch.setattr(readiness, "TABLE_TIMEOUT_S", 20.0)  # how busy this machine is isn't what is tested
    environ = {
        "TIDEGATE_TABLE": tables.library,
        "TIDEGATE_DECISION_BUDGET_MS": "9000",
        "TIDEGATE_HEALTH_DETAILS": "all",
    }
    migrate("expand")
    async with connect(start(**environ)) as http:
        answer = await http.get("/health/ready")
        assert answer.status_code == 200, answer.text
        (schema,) = [each for each in answer.json()["dependencies"] if each["name"] == "schema"]
        assert (schema["state"], schema["error"]) == ("ready", None)
        migrate("down")
    async with connect(start(**environ)) as http:  # another environment: this one's answer stands for a second
        answer = await http.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["detail"] == "Failing: schema."
    (schema,) = [each for each in answer.json()["dependencies"] if each["name"] == "schema"]
    assert schema["error"] == "needs schema 1, and 0 is in force"
