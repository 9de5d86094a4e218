import asyncio

import pytest

from functions.api.domain.model import Product

pytestmark = pytest.mark.anyio


async def test_a_product_is_shown_in_minor_units(http):
    answer = await http.get("/v1/products/lamp")

    assert answer.status_code == 200
    assert answer.json() == {"id": "lamp", "name": "Lamp", "price": 2500, "currency": "EUR", "stock": 10}


async def test_answers_say_what_is_left_of_the_limit(http):
    answer = await http.get("/v1/products/lamp")

    assert answer.headers["ratelimit-policy"] == '"50/s";q=100;w=2'
    assert answer.headers["ratelimit"].startswith('"50/s";r=99')


async def test_an_unknown_product_is_a_404_problem(http):
    answer = await http.get("/v1/products/unicorn")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:tidegate:problem:unknown-product"


async def test_a_list_is_followed_by_its_cursor_to_the_end(http, tables):
    tables.stock_up(*(Product(f"p{n}", f"P {n}", n, "EUR", n) for n in range(9)))
    seen, cursor, pages = [], {}, 0
    while True:
        page = (await http.get("/v1/products", params={"limit": 5, **cursor})).json()
        assert page.keys() == {"items", "next"}
        seen += [product["id"] for product in page["items"]]
        pages += 1
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}

    assert pages == 3
    assert sorted(seen) == sorted(["lamp", "mug", "kite", *(f"p{n}" for n in range(9))])


async def test_cursors_carry_any_id(http, tables):
    tables.stock_up(Product("käse/50 %", "Käse", 1, "EUR", 1), Product("🪁", "Drachen", 1, "EUR", 1))
    seen, cursor = [], {}
    while cursor is not None:
        page = (await http.get("/v1/products", params={"limit": 1, **cursor})).json()
        seen += [product["id"] for product in page["items"]]
        cursor = {"cursor": page["next"]} if page["next"] else None

    assert set(seen) == {"lamp", "mug", "kite", "käse/50 %", "🪁"}


@pytest.mark.parametrize("cursor", ["", "x", "!!!", "bGFtcA==", "bGFtcB", "4pyT4pyT=", "_w", "ü"])
async def test_a_cursor_that_was_never_given_is_refused(cursor, http):
    answer = await http.get("/v1/products", params={"cursor": cursor})

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:tidegate:problem:unknown-cursor"


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", ""])
async def test_limits_out_of_range_are_refused(limit, http):
    answer = await http.get("/v1/products", params={"limit": limit})

    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:tidegate:problem:invalid-request"
    assert answer.json()["errors"][0]["in"] == ["query", "limit"]


async def test_an_id_that_is_too_long_is_refused(http):
    assert (await http.get(f"/v1/products/{'x' * 65}")).status_code == 422


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("DELETE", "/v1/products", 405)])
async def test_what_isnt_served_is_a_problem_and_limited(method, path, status, http):
    answer = await http.request(method, path)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert "ratelimit" in answer.headers


async def test_a_caller_beyond_the_limit_gets_429(http):
    answers = await asyncio.gather(*(http.get("/v1/reports/sales") for _ in range(30)))
    refused = [answer for answer in answers if answer.status_code == 429]

    assert {answer.status_code for answer in answers} == {200, 429}
    assert all(answer.headers["retry-after"].isdigit() for answer in refused)
    assert all(answer.headers["content-type"] == "application/problem+json" for answer in refused)
    assert all(answer.json()["violated-policies"] == ["1/s"] for answer in refused)
