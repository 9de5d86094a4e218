import pytest

from api import tables

pytestmark = pytest.mark.anyio


@pytest.fixture
def placed(monkeypatch):
    """The orders that were placed, in place of the tables."""
    orders = []

    def place(order_id, owner, product_id, quantity):
        orders.append((order_id, product_id, quantity))
        return product_id != "sold-out"

    monkeypatch.setattr(tables, "place", place)
    return orders


async def order(http, key, product_id="tea"):
    headers = {"Idempotency-Key": f'"{key}"'}
    return await http.post("/v1/orders", headers=headers, json={"product_id": product_id, "quantity": 2})


async def test_an_order_that_is_asked_for_twice_is_placed_once(http, placed):
    first, second = await order(http, "twice"), await order(http, "twice")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert [(product, quantity) for _, product, quantity in placed] == [("tea", 2)]


async def test_what_is_sold_out_is_a_problem(http, placed):
    answer = await order(http, "sold-out", "sold-out")
    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")


async def test_an_order_needs_a_key(http, placed):
    assert (await http.post("/v1/orders", json={"product_id": "tea"})).status_code == 400
    assert placed == []


async def test_the_catalogue_is_read_once_for_all(http, monkeypatch):
    reads = []
    monkeypatch.setattr(tables, "products", lambda: reads.append(1) or [{"id": "tea"}])
    answers = [await http.get("/v1/products") for _ in range(3)]
    assert [answer.json() for answer in answers] == [[{"id": "tea"}]] * 3
    assert len(reads) == 1


async def test_it_is_ready(http):
    assert (await http.get("/health/ready")).status_code == 200
