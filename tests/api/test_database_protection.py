"""A database that is dead, silent or slow: what clients get, and what it gets from us."""

import asyncio
import time
from types import SimpleNamespace

import pytest

from functions.api.data import driver as driver_module
from functions.api.data.driver import POOL, RETRIES
from functions.api.data.errors import DataUnavailableError
from tests.api.conftest import connect, order
from tests.harness.http_faults import INTERNAL
from tidegate.dependency import dependencies

pytestmark = pytest.mark.anyio

ORDER = "/v1/orders/ord_1"
TWO_LAMPS = {"items": [{"product_id": "lamp", "quantity": 2}]}
UNAVAILABLE = "urn:tidegate:problem:data-unavailable"
NOT_ASKED = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"
FAULTS = {
    "refused": lambda proxy: proxy.refuse(),
    "silent": lambda proxy: proxy.hang(),
    "reset": lambda proxy: proxy.reset(),
    "half an answer": lambda proxy: proxy.half_reply(20),
}


def at_once(monkeypatch):
    """Botocore's pauses between tries, left out."""
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))


@pytest.fixture
def proxy(tcp_proxy, dynamo, monkeypatch):
    """The way to DynamoDB; a silent one is given up on sooner than by the shop, so that the test is quick."""
    at_once(monkeypatch)
    monkeypatch.setattr(driver_module, "READ_TIMEOUT_S", 0.4)
    return tcp_proxy(dynamo.port)


@pytest.fixture
def app(start, proxy):
    return start(TIDEGATE_STORE="memory", TIDEGATE_SHED="off", AWS_ENDPOINT_URL=f"http://{proxy.host}:{proxy.port}")


def told(answer):
    """The problem's type, once it is seen that it is a proper one and says nothing inward."""
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"].isdigit()
    for inward in ("Traceback", "botocore", "pynamodb", "127.0.0.1", "database"):
        assert inward not in answer.text
    return answer.json()["type"]


async def until(ask, status):
    deadline = time.monotonic() + 30
    while (answer := await ask()).status_code != status:
        assert time.monotonic() < deadline, answer.text
        await asyncio.sleep(0.05)
    return answer


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_dead_database_is_a_problem_then_left_alone_until_it_is_back(fault, app, proxy):
    async with connect(app) as http:
        await until(lambda: http.get(ORDER), 404)
        FAULTS[fault](proxy)
        assert [told(await http.get(ORDER)) for _ in range(2)] == [UNAVAILABLE, UNAVAILABLE]
        proxy.reset_counts()
        told_at_once = [told(await http.get(ORDER)) for _ in range(5)]
        assert told_at_once.count(NOT_ASKED) >= 4  # all but a probe
        assert proxy.connections <= 1 + RETRIES
        proxy.pass_through()
        await until(lambda: http.get(ORDER), 404)
    assert dependencies()["database"].breaker == "closed"


async def test_an_order_that_met_a_silent_database_is_placed_once_by_its_retries(app, proxy, tables):
    async with connect(app) as http:

        def post():
            return http.post("/v1/orders", json=TWO_LAMPS, headers={"idempotency-key": "key-1"})

        proxy.hang()
        assert {told(await post()) for _ in range(4)} == {UNAVAILABLE, NOT_ASKED}
        proxy.pass_through()
        placed = await until(post, 201)
        assert (await post()).content == placed.content
    assert tables.stock("lamp") == 8
    assert len(tables.order_items()) == 1


async def test_an_order_whose_commits_answer_was_lost_is_placed_once(app, proxy, tables):
    async with connect(app) as http:

        def post():
            return http.post("/v1/orders", json=TWO_LAMPS, headers={"idempotency-key": "key-1"})

        await until(lambda: http.get(ORDER), 404)
        proxy.half_reply(0)  # everything is carried out, and nothing is acknowledged
        told(await post())
        proxy.pass_through()
        await until(post, 201)
    assert tables.stock("lamp") == 8
    assert len(tables.order_items()) == 1


async def test_many_at_once_are_refused_rather_than_kept_waiting(app, proxy):
    async with connect(app) as http:
        await until(lambda: http.get(ORDER), 404)
        database = dependencies()["database"]
        most = database.limit
        proxy.hang()
        proxy.reset_counts()
        answers = await asyncio.gather(*(http.get(ORDER) for _ in range(45)))
    types = [told(answer) for answer in answers]
    assert set(types) == {UNAVAILABLE, NOT_ASKED}
    assert types.count(NOT_ASKED) >= 45 - most - 5  # and a few probes
    assert proxy.connections <= (1 + RETRIES) * (most + 5)
    assert database.in_flight == 0


async def test_a_slow_database_is_a_pressure(app, proxy, monkeypatch):
    monkeypatch.setattr(driver_module, "READ_TIMEOUT_S", 10)
    async with connect(app) as http:
        for _ in range(12):
            await until(lambda: http.get(ORDER), 404)
        database = dependencies()["database"]
        before = database.latency_ms
        proxy.delay(250)
        for _ in range(10):
            await http.get(ORDER)
    assert database.latency_ms > before + 150
    assert database.pressure > 0.5


async def test_health_says_what_is_and_mends_what_was(app, proxy):
    async with connect(app) as http:
        proxy.hang()
        for _ in range(3):
            told(await http.get(ORDER))
        assert (await http.get("/health/ready")).status_code == 503
        proxy.pass_through()
        await until(lambda: http.get("/health/ready"), 200)
        await until(lambda: http.get(ORDER), 404)


def test_one_client_with_a_bounded_pool_and_botocores_retry_quota(driver):
    config = driver.connection.client.meta.config
    assert config.retries == {"total_max_attempts": 1 + RETRIES, "mode": "standard"}
    # urllib3 opens more connections than its pool holds: what bounds them is the calls in flight.
    assert config.max_pool_connections == POOL == driver.database._bounds.most
    assert driver.database.limit <= POOL


def test_retries_end_with_their_budget(http_faults, tables, monkeypatch):
    """500 tokens, 5 for a retry: after 100 of them calls are made once, until others succeed."""
    at_once(monkeypatch)
    products, _ = tables.opened(http_faults.endpoint_url)
    http_faults.fail(INTERNAL)
    for _ in range(120):
        with pytest.raises(DataUnavailableError):
            products.get("lamp")
    assert len(http_faults.operations) == 120 + 100
    http_faults.heal()
    for _ in range(5):
        products.get("lamp")
    http_faults.fail(INTERNAL)
    before = len(http_faults.operations)
    for _ in range(2):
        with pytest.raises(DataUnavailableError):
            products.get("lamp")
    assert len(http_faults.operations) == before + 2 + 1


def test_a_refused_condition_is_an_answer(driver, orders):
    for _ in range(5):
        orders.commit(order("ord_1"), fence=None)
    assert (driver.database.breaker, driver.database.limit) == ("closed", 20)


async def test_when_the_database_is_slow_load_is_shed_the_least_critical_first(start, proxy, monkeypatch):
    monkeypatch.setattr(driver_module, "READ_TIMEOUT_S", 10)
    app = start(
        TIDEGATE_STORE="memory",
        TIDEGATE_SHED_DATABASE_MS="20-60",
        AWS_ENDPOINT_URL=f"http://{proxy.host}:{proxy.port}",
    )
    async with connect(app) as http:

        def order_lamp(number):
            lamp = {"items": [{"product_id": "lamp", "quantity": 1}]}
            return http.post("/v1/orders", json=lamp, headers={"idempotency-key": f"key-{number}"})

        proxy.delay(150)
        for number in range(8):
            assert (await order_lamp(number)).status_code == 201
        assert told(await http.get("/v1/reports/sales")) == NOT_ASKED
        assert (await order_lamp(8)).status_code == 201
