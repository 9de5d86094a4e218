"""The client and the guard, with a real server process, a real Redis and real time between them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.harness.redis_server import RedisServer
from tests.http.uvicorn_server import UvicornServer
from tidegate.client import Client, Conduct, QuotaExhaustedError


@pytest.fixture(scope="module")
def till(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shop") / "till"


@pytest.fixture(scope="module")
def shop(till: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[UvicornServer]:
    folder = tmp_path_factory.mktemp("servers")
    with (
        RedisServer() as redis,
        UvicornServer(
            "tests.client.shop:app",
            folder / "uvicorn.log",
            TIDEGATE_REDIS_URL=redis.url,
            TIDEGATE_DECISION_BUDGET_MS="3000",
            TILL=str(till),
        ) as server,
    ):
        yield server


def test_a_limit_is_kept_by_waiting_for_it(shop):
    with Client(base_url=shop.url) as client:
        answers = [client.get("/products") for _ in range(8)]
        asked = client.get("/asked").json()
    assert [answer.status_code for answer in answers] == [200] * 8
    assert asked["GET /products 200"] == 8
    # The fields said when there was nothing left: what was sent all the same is what they round.
    assert asked.get("GET /products 429", 0) <= 2


def test_a_limit_beyond_the_deadline_is_said_at_once(shop):
    with Client(base_url=shop.url, conduct=Conduct(deadline_s=0.3)) as client:
        outcomes = []
        for _ in range(6):
            try:
                outcomes.append(client.get("/products").status_code)
            except QuotaExhaustedError as error:
                outcomes.append(error.retry_after_s)
    assert any(isinstance(outcome, float) and outcome > 0 for outcome in outcomes)


def test_an_impatient_client_orders_once(shop, till):
    conduct = Conduct(keys_for=("/orders",), attempts=20, budget_tokens=80, throttle_k=None)
    timeout = httpx.Timeout(10, read=0.25)
    with Client(base_url=shop.url, conduct=conduct, timeout=timeout) as client, ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda n: client.post("/orders", json={"amount": n}), range(4)))
    assert [answer.status_code for answer in answers] == [201] * 4, [answer.text for answer in answers]
    assert sorted(answer.json()["amount"] for answer in answers) == [0, 1, 2, 3]
    assert all(answer.extensions["attempts"] > 1 for answer in answers)
    assert sorted(till.read_text().split()) == ["0", "1", "2", "3"]
