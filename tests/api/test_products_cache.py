"""The catalogue's copies: one for all callers, void when an order takes pieces, there when the table isn't."""

import httpx
import pytest

from functions.api.data.errors import DataUnavailableError
from functions.api.data.products import ProductTable
from functions.api.routes.products import PRODUCT
from tests.api.conftest import connect
from tests.harness.cache_status import told

pytestmark = pytest.mark.anyio

A_LAMP = {"items": [{"product_id": "lamp", "quantity": 1}]}


async def stock(http: httpx.AsyncClient, product_id: str) -> int:
    return int((await http.get(f"/v1/products/{product_id}")).json()["stock"])


async def test_a_second_caller_gets_the_first_ones_copy_in_every_store(store, start):
    app = start(**store)
    async with connect(app) as ann, connect(app) as bob:
        bob.headers["x-api-key"] = "bob"
        first, second = await ann.get("/v1/products/lamp"), await bob.get("/v1/products/lamp")
    assert second.content == first.content
    assert told(second)["hit"] is True
    assert "private" not in second.headers["cache-control"]


async def test_an_order_voids_the_copies_of_its_products_in_every_store(store, start):
    async with connect(start(**store)) as http:
        assert (await stock(http, "lamp"), await stock(http, "mug")) == (10, 5)
        placed = await http.post("/v1/orders", json=A_LAMP, headers={"idempotency-key": "key-1"})
        assert placed.status_code == 201, placed.text
        assert (await stock(http, "lamp"), await stock(http, "mug")) == (9, 5)
        assert told(await http.get("/v1/products/mug"))["hit"] is True


async def test_a_replayed_order_voids_nothing(http):
    await http.post("/v1/orders", json=A_LAMP, headers={"idempotency-key": "key-1"})
    await stock(http, "lamp")
    await http.post("/v1/orders", json=A_LAMP, headers={"idempotency-key": "key-1"})
    assert told(await http.get("/v1/products/lamp"))["hit"] is True


async def test_pages_differ_by_limit_and_cursor_alone(http):
    first = await http.get("/v1/products", params={"limit": 1})
    other = await http.get("/v1/products", params={"limit": 1, "cursor": first.json()["next"]})
    again = await http.get("/v1/products", params={"utm": "x", "limit": 1})
    assert other.content != first.content
    assert again.content == first.content
    assert told(again)["hit"] is True


async def test_an_unknown_product_is_not_looked_for_again_and_again(http):
    answers = [await http.get("/v1/products/unicorn") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert told(answers[1])["hit"] is True


async def test_a_mistake_is_nobodys_copy(http):
    answers = [await http.get("/v1/products", params={"limit": "0"}) for _ in range(2)]
    assert [told(answer) for answer in answers] == [{"fwd": "uri-miss", "fwd-status": 422, "detail": "status-422"}] * 2


@pytest.fixture
def short_lived():
    """The copies of products are fresh for a millisecond."""
    windows = PRODUCT.found
    object.__setattr__(PRODUCT, "found", windows._replace(fresh_ms=1))
    yield
    object.__setattr__(PRODUCT, "found", windows)


async def test_the_catalogue_is_read_while_the_table_is_away(short_lived, store, start, monkeypatch):
    def away(*_):
        raise DataUnavailableError("away")

    async with connect(start(**store)) as http:
        before = await http.get("/v1/products/lamp")
        monkeypatch.setattr(ProductTable, "get", away)
        answers = [await http.get("/v1/products/lamp") for _ in range(20)]
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.content for answer in answers} == {before.content}
    assert "stale-if-error" in [told(answer).get("detail") for answer in answers]
