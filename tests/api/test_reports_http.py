import csv
import io

import pytest

from functions.api.routes import exports
from tests.api.conftest import order

pytestmark = pytest.mark.anyio


async def test_the_report_sums_all_orders_of_all_callers(http, orders):
    for number in range(10):
        orders.commit(order(f"ord_{number}", f"key:{number}"), fence=None)

    answer = await http.get("/v1/reports/sales")

    assert answer.status_code == 200
    sold = {"product_id": "lamp", "currency": "EUR", "quantity": 10, "revenue": 25000}
    assert answer.json() == {"orders": 10, "items": [sold]}


async def test_a_report_of_nothing_is_empty(http):
    assert (await http.get("/v1/reports/sales")).json() == {"orders": 0, "items": []}


async def _order_as(client, key, *lines):
    items = [{"product_id": product_id, "quantity": quantity} for product_id, quantity in lines]
    headers = {"x-api-key": key, "idempotency-key": "export"}
    return (await client.post("/v1/orders", json={"items": items}, headers=headers)).json()


async def test_an_export_holds_the_callers_own_order_lines(http):
    mine = await _order_as(http, "ann", ("lamp", 2), ("mug", 1))
    await _order_as(http, "bob", ("lamp", 1))

    answer = await http.post("/v1/exports", json={"kind": "orders", "format": "json"})

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-disposition"] == 'attachment; filename="orders.json"'
    rows = answer.json()["rows"]
    assert {row["order_id"] for row in rows} == {mine["id"]}
    assert [(row["product_id"], row["amount"]) for row in rows] == [("lamp", 5000), ("mug", 900)]


async def test_csv_holds_the_same_rows(http):
    await _order_as(http, "ann", ("lamp", 2), ("mug", 1))

    text = await http.post("/v1/exports", json={"kind": "orders", "format": "csv"})
    json = await http.post("/v1/exports", json={"kind": "orders", "format": "json"})

    assert text.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(text.text)))
    assert rows == [{name: str(value) for name, value in row.items()} for row in json.json()["rows"]]


async def test_products_are_exported_whole(http):
    answer = await http.post("/v1/exports", json={"kind": "products", "format": "csv"})

    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert {row["id"]: row["stock"] for row in rows} == {"lamp": "10", "mug": "5", "kite": "3"}


async def test_an_export_of_nothing_has_its_columns(http):
    answer = await http.post("/v1/exports", json={"kind": "orders", "format": "csv"})

    assert answer.text == ",".join(exports.ORDER_COLUMNS) + "\r\n"


async def test_an_export_that_one_answer_cant_carry_is_refused(http, monkeypatch):
    monkeypatch.setattr(exports, "MAX_ROWS", 2)

    answer = await http.post("/v1/exports", json={"kind": "products", "format": "csv"})

    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:tidegate:problem:export-too-large"
    assert answer.json()["max_rows"] == 2


@pytest.mark.parametrize("body", [{}, {"kind": "cats", "format": "csv"}, {"kind": "orders", "format": "xml"}, []])
async def test_exports_of_another_shape_are_refused(body, http):
    answer = await http.post("/v1/exports", json=body)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
