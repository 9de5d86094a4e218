"""An application that passes its own redis-py client: answered by Redis, and as well as ever while Redis fails."""

import contextlib

import fakeredis
import pytest
import redis
from fastapi import FastAPI

from tests.http.test_failover import FAULTS
from tests.http.traffic import Traffic, shop
from tidegate import Policy, Settings, TokenBucket, policy


@pytest.fixture
def client(stores, closing):
    """A client with the options that redis-py has by default: sockets wait for seconds, and calls are made again."""
    return closing.enter_context(contextlib.closing(redis.Redis.from_url(stores.to_redis.url(stores.redis.url))))


@pytest.mark.parametrize("fault", FAULTS)
def test_the_fallback_takes_over_and_redis_is_used_again_by_itself(run, stores, client, log, fault):
    begin, end = FAULTS[fault]
    settings = stores.settings(redis_url=None, redis=client, decision_budget_ms=300)
    traffic = Traffic(run(shop(), settings))
    traffic.until(lambda: log.last["store"] == "redis")
    begin(stores)
    traffic.until(lambda: log.last["store"] == "dynamodb")
    traffic.go_on(0.3)
    end(stores)
    traffic.until(lambda: log.last["store"] == "redis")


def test_a_restart_between_two_requests_is_not_noticed(run, stores, client, log):
    api = run(shop(), stores.settings(redis_url=None, redis=client))
    assert api.get("/products", key="alice").status_code == 200
    stores.redis.restart_empty()
    assert api.get("/products", key="alice").status_code == 200
    assert [line["store"] for line in log.requests] == ["redis", "redis"]


def test_fakeredis_decides_in_an_applications_own_tests(serve, log):
    app = FastAPI(title="Shop")

    @app.get("/")
    @policy(limits=[TokenBucket("1/min", burst=2)])
    def home():
        return "here"

    api = serve(app, Settings(redis=fakeredis.FakeRedis(), decision_budget_ms=9000), default=Policy())
    assert [api.get("/").status_code for _ in range(3)] == [200, 200, 429]
    assert {line["store"] for line in log.requests} == {"redis"}
