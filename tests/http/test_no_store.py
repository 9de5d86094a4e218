"""Neither store answers: each route as it chose, and soon."""

import time

import pytest
from fastapi import FastAPI

from tests.harness.waiting import eventually
from tidegate import TokenBucket, policy


def shop(on_outage):
    app = FastAPI()

    @app.get("/products")
    @policy(limits=[TokenBucket("10/s", burst=10)], on_outage=on_outage)
    async def products():
        return []

    @app.get("/health")
    @policy(limits=[])
    async def health():
        return "ok"

    return app


def lose_both(stores):
    stores.redis.kill()
    stores.to_dynamo.refuse()


def test_reject_is_503_and_says_when_to_return(run, stores, log):
    api = run(shop("reject"), stores.settings())
    lose_both(stores)
    answer = api.get("/products", key="alice")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert answer.json()["type"] == "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"
    assert int(answer.headers["retry-after"]) >= 1
    assert log.last["status"] == 503
    assert api.get("/health").status_code == 200


def test_allow_knows_no_limit(run, stores, log):
    api = run(shop("allow"), stores.settings())
    lose_both(stores)
    answers = [api.get("/products", key="alice") for _ in range(30)]
    assert {answer.status_code for answer in answers} == {200}
    assert "ratelimit" not in answers[0].headers, "nobody looked"
    assert log.last["store"] == "none"


def test_share_enforces_this_environments_part(deploy, stores, log):
    """Two live environments: each admits half the rate, and half the burst of whoever had not spent it."""
    first, second = deploy(shop("share"), stores.settings()), deploy(shop("share"), stores.settings())
    assert first.get("/products", key="alice").status_code == 200
    spent = time.monotonic()
    assert second.get("/products", key="alice").status_code == 200  # its heartbeat has counted both
    lose_both(stores)
    admitted, ends = 0, time.monotonic() + 1.5
    while time.monotonic() < ends:
        answer = second.get("/products", key="alice")
        assert answer.status_code in {200, 429}
        admitted += answer.status_code == 200
    assert log.last["store"] == "memory"
    assert 1 <= admitted <= 5 * (time.monotonic() - spent) + 5


def test_they_are_used_again_when_they_are_back(deploy, stores, log):
    api = deploy(shop("share"), stores.settings())
    api.get("/products", key="alice")
    lose_both(stores)
    eventually(lambda: api.get("/products", key="alice") and log.last["store"] == "memory")
    stores.to_dynamo.pass_through()
    eventually(lambda: api.get("/products", key="alice") and log.last["store"] == "dynamodb", within_s=2)
    stores.redis.start()
    eventually(lambda: api.get("/products", key="alice") and log.last["store"] == "redis", within_s=2)


@pytest.mark.parametrize("warm", [True, False])
def test_both_hung_the_request_is_answered(run, stores, log, warm):
    """No tight timing here: only that nobody waits for drivers' own timeouts."""
    api = run(shop("share"), stores.settings(decision_budget_ms=60))
    if warm:
        assert api.get("/products", key="alice").status_code == 200
    else:
        api.get("/health")
    stores.to_redis.hang()
    stores.to_dynamo.hang()

    def alone():
        began = time.monotonic()
        assert api.get("/products", key="alice").status_code in {200, 429}
        assert time.monotonic() - began < 0.9
        return log.last["store"] == "memory"

    assert eventually(alone)
