"""A health route is open to all, so it asks the stores for all at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi import FastAPI

from tidegate import policy, protect


@pytest.fixture
def api(serve, stores):
    app = FastAPI(title="Shop")
    gate = protect(app, settings=stores.settings())

    @app.get("/health")
    @policy(limits=[])
    async def health():
        return await gate.health()

    return serve(app, gate=gate)


def test_a_crowd_asks_the_stores_no_more_than_one_does(api, stores):
    assert api.get("/health").json()["status"] == "ok"
    stores.to_redis.reset_counts()
    stores.to_dynamo.reset_counts()
    with ThreadPoolExecutor(20) as crowd:
        answers = list(crowd.map(lambda _: api.get("/health"), range(200)))
    assert {answer.json()["status"] for answer in answers} == {"ok"}
    # A loaded machine takes more than one second for them.
    assert len(stores.to_redis.commands) <= 60


def test_a_crowd_before_a_hanging_store_waits_for_one_check(api, stores):
    stores.to_redis.hang()
    with ThreadPoolExecutor(20) as crowd:
        answers = list(crowd.map(lambda _: api.get("/health"), range(20)))
    assert {answer.json()["status"] for answer in answers} <= {"ok", "degraded"}
    assert answers[-1].status_code == 200
