import asyncio

import pytest

from functions.api.data.commit import Commit
from functions.api.data.orders import OrderTable
from tests.api.conftest import connect

pytestmark = pytest.mark.anyio

TWO_LAMPS = {"items": [{"product_id": "lamp", "quantity": 2}]}


def post(client, body=TWO_LAMPS, key="key-1", **options):
    return client.post("/v1/orders", json=body, headers={"idempotency-key": key}, **options)


def problem(answer, status, word):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"urn:tidegate:problem:{word}"
    return answer.json()


async def test_an_order_is_placed_and_found_where_location_says(http, tables):
    answer = await post(http, {"items": [*TWO_LAMPS["items"], {"product_id": "mug", "quantity": 1}]})

    assert answer.status_code == 201
    order = answer.json()
    assert answer.headers["location"] == f"/v1/orders/{order['id']}"
    assert order.keys() == {"id", "status", "items", "total", "currency", "created_at"}
    assert (order["status"], order["total"], order["currency"]) == ("placed", 5900, "EUR")
    assert [line["product_id"] for line in order["items"]] == ["lamp", "mug"]
    assert (tables.stock("lamp"), tables.stock("mug")) == (8, 4)
    assert (await http.get(answer.headers["location"])).json() == order


async def test_a_repetition_is_answered_as_the_first_time_in_every_store(store, start, tables):
    async with connect(start(**store)) as http:
        first = await post(http)
        again = await post(http)

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert tables.stock("lamp") == 8


async def test_fifty_at_once_with_one_key_are_one_order_in_every_store(store, start, tables):
    async with connect(start(**store)) as http:
        answers = await asyncio.gather(*(post(http) for _ in range(50)))

    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1
    assert len(tables.order_items()) == 1
    assert tables.stock("lamp") == 8


async def test_another_body_under_the_same_key_is_refused(http, tables):
    await post(http)
    answer = await post(http, {"items": [{"product_id": "mug", "quantity": 1}]})

    problem(answer, 422, "idempotency-key-reused")
    assert tables.stock("mug") == 5


async def test_keys_of_different_callers_are_different(http, tables):
    mine = await post(http)
    bobs = {"x-api-key": "bob", "idempotency-key": "key-1"}
    theirs = await http.post("/v1/orders", json=TWO_LAMPS, headers=bobs)

    assert mine.json()["id"] != theirs.json()["id"]
    assert tables.stock("lamp") == 6


async def test_only_the_owner_sees_an_order(http):
    location = (await post(http)).headers["location"]

    answer = await http.get(location, headers={"x-api-key": "bob"})

    problem(answer, 404, "unknown-order")
    assert (await http.get(location)).status_code == 200


async def test_an_unknown_order_reads_like_anothers(http):
    problem(await http.get("/v1/orders/ord_0"), 404, "unknown-order")


async def test_out_of_stock_names_the_product_and_changes_nothing(http, tables):
    answer = await post(http, {"items": [*TWO_LAMPS["items"], {"product_id": "mug", "quantity": 6}]})

    body = problem(answer, 409, "out-of-stock")
    assert (body["product_id"], body["left"]) == ("mug", 5)
    assert (tables.stock("lamp"), tables.stock("mug")) == (10, 5)


async def test_an_unknown_product_is_named(http):
    answer = await post(http, {"items": [{"product_id": "unicorn", "quantity": 1}]})

    assert problem(answer, 422, "unknown-product")["product_id"] == "unicorn"


async def test_one_order_has_one_currency(http):
    answer = await post(http, {"items": [*TWO_LAMPS["items"], {"product_id": "kite", "quantity": 1}]})

    assert problem(answer, 422, "mixed-currencies")["currencies"] == ["EUR", "USD"]


@pytest.mark.parametrize(
    "items",
    [
        [],
        [{"product_id": f"p{n}", "quantity": 1} for n in range(21)],
        [{"product_id": "lamp", "quantity": 1}, {"product_id": "lamp", "quantity": 1}],
        [{"product_id": "lamp", "quantity": 0}],
        [{"product_id": "lamp", "quantity": 1001}],
        [{"product_id": "lamp", "quantity": 1.5}],
        [{"product_id": "lamp", "quantity": "1"}],
        [{"product_id": "lamp", "quantity": True}],
        [{"product_id": "", "quantity": 1}],
        [{"product_id": "x" * 65, "quantity": 1}],
        [{"product_id": "lamp"}],
        [{"product_id": "lamp", "quantity": 1, "price": 1}],
        "lamp",
        None,
    ],
)
async def test_bodies_of_another_shape_are_refused_and_bind_nothing(items, http, tables):
    problem(await post(http, {"items": items}), 422, "invalid-request")
    assert tables.stock("lamp") == 10
    # What failed validation isn't kept: the same key may be used for the right body.
    assert (await post(http)).status_code == 201


@pytest.mark.parametrize(
    "content", ["{", "\x00", '{"items": [}', b"\xff\xfe", "[" * 100_000, f'{{"items": {"9" * 5000}}}']
)
async def test_a_body_that_cant_be_read_is_a_400_problem(content, http):
    headers = {"content-type": "application/json", "idempotency-key": "key-1"}
    answer = await http.post("/v1/orders", content=content, headers=headers)

    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("product_id", [r'"\ud800"', r'"\u0000"', "NaN", "-Infinity"])
async def test_odd_json_is_a_422_problem(product_id, http):
    headers = {"content-type": "application/json", "idempotency-key": "key-1"}
    content = f'{{"items": [{{"product_id": {product_id}, "quantity": 1}}]}}'
    answer = await http.post("/v1/orders", content=content, headers=headers)

    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("headers", [{}, {"content-type": "text/plain"}])
async def test_no_json_body_at_all_is_a_422_problem(headers, http):
    answer = await http.post("/v1/orders", content="", headers={**headers, "idempotency-key": "key-1"})

    problem(answer, 422, "invalid-request")


async def test_a_missing_key_is_a_400_problem(http):
    problem(await http.post("/v1/orders", json=TWO_LAMPS), 400, "idempotency-key-missing")


@pytest.mark.parametrize("key", ["x" * 256, '"unclosed', "tab\tinside", '"' + "x" * 256 + '"'])
async def test_an_unusable_key_is_a_400_problem(key, http, tables):
    problem(await post(http, key=key), 400, "idempotency-key-invalid")
    assert tables.stock("lamp") == 10


async def test_the_longest_key_is_taken(http):
    assert (await post(http, key="x" * 255)).status_code == 201


async def test_a_claim_taken_over_leaves_the_slow_attempt_without_effect(start, tables, monkeypatch):
    """Between our admission and our transaction somebody takes the claim over."""
    app = start(TIDEGATE_TABLE=tables.library, TIDEGATE_DECISION_BUDGET_MS="9000")
    commit = OrderTable.commit

    def late(self, order, fence):
        tables.put_claim(fence.pk, "somebody else's")
        return commit(self, order, fence)

    monkeypatch.setattr(OrderTable, "commit", late)
    async with connect(app) as http:
        answer = await post(http)

    problem(answer, 409, "claim-superseded")
    assert tables.stock("lamp") == 10
    assert tables.order_items() == []


async def test_a_crash_after_the_transaction_is_taken_over_to_the_same_order(start, tables, monkeypatch):
    """The first attempt dies between its effect and its answer: its claim is released by hand, as by time."""
    app = start(TIDEGATE_TABLE=tables.library, TIDEGATE_DECISION_BUDGET_MS="9000")
    async with connect(app) as http:
        first = await post(http)
        for item in tables.server.items(tables.library):
            if item["pk"]["S"].startswith("claim#"):
                tables.forget_claim(item["pk"]["S"])
        second = await post(http)

    assert second.status_code == 201
    assert "idempotent-replayed" not in second.headers
    assert second.json() == first.json()
    assert tables.stock("lamp") == 8


async def test_endless_conflicts_are_a_503_that_may_be_repeated(http, tables, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(OrderTable, "commit", lambda *_: Commit.CONFLICT)
        answer = await post(http)
    problem(answer, 503, "contended")
    assert answer.headers["retry-after"].isdigit()

    assert (await post(http)).status_code == 201
