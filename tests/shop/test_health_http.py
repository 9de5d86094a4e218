import time
from datetime import datetime

import httpx
import pytest

from tests.harness.http_faults import THROTTLED
from tests.harness.ports import free_port
from tests.shop.conftest import connect

pytestmark = pytest.mark.anyio

PATHS = ["/health/live", "/health/ready", "/health"]


def by_name(answer):
    return {dependency["name"]: dependency for dependency in answer.json()["dependencies"]}


async def until(http: httpx.AsyncClient, status: str) -> httpx.Response:
    """Ask until it is so: a check waits half a second for a store, and a busy machine may need more."""
    deadline = time.monotonic() + 30
    while (answer := await http.get("/health/ready")).json()["status"] != status:
        assert time.monotonic() < deadline, answer.text
    return answer


@pytest.fixture
def shared(start, tables, fresh_redis):
    """The app on a Redis that may be killed, with DynamoDB behind it."""
    return start(TIDEGATE_TABLE=tables.library, TIDEGATE_REDIS_URL=fresh_redis.url, TIDEGATE_DECISION_BUDGET_MS="2000")


@pytest.mark.parametrize("path", PATHS)
async def test_health_is_never_cached_and_never_limited(path, http):
    await until(http, "ok")
    answer = await http.get(path)

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert "ratelimit" not in answer.headers


async def test_every_dependency_has_state_latency_and_since(shared):
    async with connect(shared) as http:
        answer = await until(http, "ok")

    assert by_name(answer).keys() == {"redis", "dynamodb", "products-table", "orders-table"}
    for dependency in answer.json()["dependencies"]:
        assert dependency["state"] == "ready"
        assert dependency["latency_ms"] > 0
        assert datetime.fromisoformat(dependency["since"]).tzinfo


async def test_health_says_all_about_this_environment(start, tables):
    async with connect(start(TIDEGATE_TABLE=tables.library, TIDEGATE_RELEASE="r42")) as http:
        await until(http, "ok")
        health = (await http.get("/health")).json()

    assert health["version"] == "r42"
    assert health["schema_version"] == 1
    assert health["memory"]["rss_bytes"] > 10_000_000
    assert health["uptime_s"] > 0
    assert health["deciding"] == "dynamodb"
    assert {d["name"]: d["breaker"] for d in health["dependencies"]}["dynamodb"] == "closed"


async def test_without_redis_it_is_ready_and_degraded(shared, fresh_redis):
    async with connect(shared) as http:
        before = by_name(await until(http, "ok"))
        fresh_redis.kill()
        answer = await until(http, "degraded")

    assert answer.status_code == 200
    assert answer.json()["deciding"] == "dynamodb"
    redis = by_name(answer)["redis"]
    assert redis["state"] == "failing"
    assert redis["breaker"] == "open"
    assert redis["error"]
    assert redis["since"] > before["redis"]["since"]
    assert by_name(answer)["products-table"]["since"] == before["products-table"]["since"]


@pytest.mark.parametrize("path", ["/health/ready", "/health"])
async def test_without_a_table_it_isnt_ready_and_says_which(path, start, tables):
    async with connect(start(TIDEGATE_STORE="memory", TIDEGATE_PRODUCTS_TABLE="nowhere")) as http:
        answer = await http.get(path)

    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["retry-after"].isdigit()
    assert answer.json()["detail"] == "Failing: products-table."
    assert by_name(answer)["orders-table"]["state"] == "ready"
    assert by_name(answer)["products-table"]["error"] == "DynamoDB: ResourceNotFoundException"


async def test_a_hung_dynamodb_isnt_waited_for(start, tables, dynamo):
    async with connect(start(TIDEGATE_STORE="memory")) as http:
        await http.get("/health/ready")
        dynamo.stop()
        answer = await http.get("/health/ready")
        dynamo.cont()

    assert answer.status_code == 503
    assert by_name(answer)["orders-table"]["error"] == "no answer within 2 s"


async def test_a_missing_variable_is_named(start, monkeypatch):
    app = start(TIDEGATE_STORE="memory")
    monkeypatch.delenv("TIDEGATE_ORDERS_TABLE")
    async with connect(app) as http:
        answer = await http.get("/health/ready")

    assert answer.status_code == 503
    assert by_name(answer)["orders-table"]["error"].startswith("TIDEGATE_ORDERS_TABLE: not set; write")


async def test_live_asks_nobody(start):
    nobody = f"http://127.0.0.1:{free_port()}"
    async with connect(start(TIDEGATE_STORE="memory", AWS_ENDPOINT_URL=nobody)) as http:
        answer = await http.get("/health/live")

    assert answer.json() == {"status": "ok"}


async def test_a_throttled_table_is_a_503_problem_everywhere(start, http_faults):
    async with connect(
        start(TIDEGATE_STORE="memory", TIDEGATE_SHED="off", AWS_ENDPOINT_URL=http_faults.endpoint_url)
    ) as http:
        http_faults.fail(THROTTLED)
        order = {"items": [{"product_id": "lamp", "quantity": 1}]}
        answers = [
            await http.get("/v1/products"),
            await http.get("/v1/products/lamp"),
            await http.post("/v1/orders", json=order, headers={"idempotency-key": "k"}),
            await http.get("/v1/orders/ord_1"),
            await http.get("/v1/reports/sales"),
            await http.post("/v1/exports", json={"kind": "orders", "format": "csv"}),
        ]
        http_faults.heal()
        again = await http.post("/v1/orders", json=order, headers={"idempotency-key": "k"})

    for answer in answers:
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["retry-after"].isdigit()
        assert answer.json()["type"] == "urn:tidegate:problem:data-unavailable"
        assert "Throughput" not in answer.text
    assert again.status_code == 201


async def test_an_unreachable_dynamodb_is_a_503_problem(start):
    nobody = f"http://127.0.0.1:{free_port()}"
    async with connect(start(TIDEGATE_STORE="memory", AWS_ENDPOINT_URL=nobody)) as http:
        answer = await http.get("/v1/products")

    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:tidegate:problem:data-unavailable"
