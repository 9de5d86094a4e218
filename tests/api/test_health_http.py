import asyncio
import contextlib
import time
from datetime import datetime

import httpx
import pytest

from tests.api.conftest import connect
from tests.harness.http_faults import THROTTLED
from tests.harness.ports import free_port
from tidegate import ConfigurationError

pytestmark = pytest.mark.anyio

PATHS = ["/health/live", "/health/ready", "/health"]
TOKEN = "0123456789abcdef"
OWNER = {"Authorization": f"Bearer {TOKEN}"}
DETAILS = {"TIDEGATE_HEALTH_TOKEN": TOKEN}


def by_name(answer):
    return {dependency["name"]: dependency for dependency in answer.json()["dependencies"]}


async def until(http: httpx.AsyncClient, said: str | int, member: str = "status") -> httpx.Response:
    """Ask until a member of the body says so: a check waits for a store in short, and a busy machine may need more."""
    deadline = time.monotonic() + 30
    while (answer := await http.get("/health/ready")).json().get(member) != said:
        assert time.monotonic() < deadline, answer.text
    return answer


@contextlib.asynccontextmanager
async def owner_of(app):
    """A client who sends the owner's token."""
    async with connect(app) as client:
        client.headers.update(OWNER)
        yield client


@pytest.fixture
def shared(start, tables, fresh_redis):
    """The app on a Redis that may be killed, with DynamoDB behind it."""
    return start(
        TIDEGATE_TABLE=tables.library,
        TIDEGATE_REDIS_URL=fresh_redis.url,
        TIDEGATE_DECISION_BUDGET_MS="9000",
        **DETAILS,
    )


@pytest.mark.parametrize("path", PATHS)
async def test_health_is_never_cached_and_never_limited(path, http):
    await until(http, "ok")
    answer = await http.get(path)

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert "ratelimit" not in answer.headers


async def test_every_dependency_has_state_latency_and_since(shared):
    async with owner_of(shared) as http:
        answer = await until(http, "ok")

    assert by_name(answer).keys() == {"redis", "dynamodb", "products-table", "orders-table"}
    for dependency in answer.json()["dependencies"]:
        assert dependency["state"] == "ready"
        assert dependency["latency_ms"] > 0
        assert datetime.fromisoformat(dependency["since"]).tzinfo


async def test_health_says_all_about_this_environment(start, tables):
    async with owner_of(start(TIDEGATE_TABLE=tables.library, TIDEGATE_RELEASE="r42", **DETAILS)) as http:
        await until(http, "ok")
        health = (await http.get("/health")).json()

    assert health["version"] == "r42"
    assert health["schema_version"] == 1
    assert health["memory"]["rss_bytes"] > 10_000_000
    assert health["uptime_s"] > 0
    assert health["deciding"] == "dynamodb"
    assert {d["name"]: d["breaker"] for d in health["dependencies"]}["dynamodb"] == "closed"


async def test_without_redis_it_is_ready_and_degraded(shared, fresh_redis):
    async with owner_of(shared) as http:
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
    async with owner_of(start(TIDEGATE_STORE="memory", TIDEGATE_PRODUCTS_TABLE="nowhere", **DETAILS)) as http:
        await until(http, "Failing: products-table.", "detail")
        answer = await http.get(path)

    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["retry-after"].isdigit()
    assert answer.json()["detail"] == "Failing: products-table."
    assert by_name(answer)["orders-table"]["state"] == "ready"
    assert by_name(answer)["products-table"]["error"] == "DynamoDB: ResourceNotFoundException"


async def test_a_hung_dynamodb_isnt_waited_for(start, tables, dynamo):
    async with owner_of(start(TIDEGATE_STORE="memory", **DETAILS)) as http:
        await until(http, "ok")
        dynamo.stop()
        answer = await until(http, 503)
        dynamo.cont()

    assert answer.status_code == 503
    assert by_name(answer)["orders-table"]["error"] == "no answer within 2 s"


async def test_a_missing_variable_is_named(start, monkeypatch):
    app = start(TIDEGATE_STORE="memory", **DETAILS)
    monkeypatch.delenv("TIDEGATE_ORDERS_TABLE")
    async with owner_of(app) as http:
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


@pytest.mark.parametrize("path", ["/health/ready", "/health"])
@pytest.mark.parametrize(
    "said", [None, "Bearer wrong", "Bearer", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", "Bearer ä"]
)
async def test_others_see_the_status_and_nothing_else(path, said, start):
    async with connect(start(TIDEGATE_STORE="memory", **DETAILS)) as http:
        await until(http, "ok")
        headers = {} if said is None else {"Authorization": said.encode()}
        answer = await http.get(path, headers=headers)

    assert answer.json() == {"status": "ok"}


@pytest.mark.parametrize("path", ["/health/ready", "/health"])
async def test_others_do_not_see_why_it_is_not_ready(path, start):
    app = start(TIDEGATE_STORE="memory", TIDEGATE_PRODUCTS_TABLE="nowhere", TIDEGATE_RELEASE="r42", **DETAILS)
    async with connect(app) as http:
        answer = await http.get(path)

    assert answer.status_code == 503
    assert answer.headers["retry-after"].isdigit()
    assert answer.json().keys() <= {"type", "title", "status", "instance"}


async def test_without_a_token_nobody_is_the_owner(start):
    async with owner_of(start(TIDEGATE_STORE="memory")) as http:
        await until(http, "ok")
        assert (await http.get("/health")).json() == {"status": "ok"}


async def test_where_all_may_see_them_details_need_no_token(start):
    async with connect(start(TIDEGATE_STORE="memory", TIDEGATE_HEALTH_DETAILS="all")) as http:
        await until(http, "ok")
        assert (await http.get("/health")).json()["schema_version"] == 1


async def test_a_crowd_asks_the_tables_once(start, http_faults):
    app = start(TIDEGATE_STORE="memory", AWS_ENDPOINT_URL=http_faults.endpoint_url)
    async with connect(app) as http:
        answers = await asyncio.gather(*(http.get(path) for path in ["/health", "/health/ready"] * 50))

    assert {answer.status_code for answer in answers} <= {200, 503}
    # A loaded machine may take more than a second for them: two reads a check.
    assert 0 < http_faults.operations.count("GetItem") <= 20


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TIDEGATE_HEALTH_TOKEN", "short"),
        ("TIDEGATE_HEALTH_TOKEN", "with a space in it"),
        ("TIDEGATE_HEALTH_DETAILS", "some"),
    ],
)
def test_a_wrong_variable_stops_the_start_by_name(variable, value, start, monkeypatch):
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "api")
    with pytest.raises(ConfigurationError, match=variable) as raised:
        start(TIDEGATE_STORE="memory", **{variable: value})
    assert variable != "TIDEGATE_HEALTH_TOKEN" or value not in str(raised.value)
