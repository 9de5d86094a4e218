"""Redis lost and found again, as clients see it: they don't."""

import time

import pytest

from tests.harness.waiting import eventually
from tests.http.traffic import Traffic, shop
from tidegate import TokenBucket

# Each fault of Redis, or of the way to it: how it begins, and how it ends.
FAULTS = {
    "killed": (lambda s: s.redis.kill(), lambda s: s.redis.start()),
    "stopped": (lambda s: s.redis.stop(), lambda s: s.redis.cont()),
    "refused": (lambda s: s.to_redis.refuse(), lambda s: s.to_redis.pass_through()),
    "hung": (lambda s: s.to_redis.hang(), lambda s: s.to_redis.pass_through()),
    "slow": (lambda s: s.to_redis.delay(200), lambda s: s.to_redis.pass_through()),
    "reset": (lambda s: s.to_redis.reset(), lambda s: s.to_redis.pass_through()),
    "cut in mid-reply": (lambda s: s.to_redis.reset(after_bytes=5), lambda s: s.to_redis.pass_through()),
    "silent in mid-reply": (lambda s: s.to_redis.half_reply(5), lambda s: s.to_redis.pass_through()),
    "a black hole": (lambda s: (s.to_redis.blackhole(), s.to_redis.hang()), lambda s: s.to_redis.pass_through()),
    "read-only": (lambda s: s.redis.readonly(), lambda s: s.redis.writable()),
    "out of memory": (lambda s: s.redis.fill_memory(), lambda s: s.redis.free_memory()),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_fallback_takes_over_and_redis_is_used_again_by_itself(deploy, stores, brief_settings, log, fault):
    begin, end = FAULTS[fault]
    traffic = Traffic(deploy(shop(), brief_settings))
    traffic.until(lambda: log.last["store"] == "redis")
    begin(stores)
    traffic.until(lambda: log.last["store"] == "dynamodb")
    traffic.go_on(0.3)
    end(stores)
    traffic.until(lambda: log.last["store"] == "redis")


def test_parallel_requests_at_a_server_change_stores_together(serve, stores, brief_settings, log):
    api = serve(shop(), brief_settings)

    def stores_of_ten():
        """Which stores decide on ten requests at once, all of which are answered well."""
        asked = [api.begin("GET", "/products", key="alice") for _ in range(10)]
        assert {answer.result(20).status_code for answer in asked} <= {200, 429}
        return {line["store"] for line in log.requests[-10:]}

    eventually(lambda: stores_of_ten() == {"redis"})
    for begin, end in (FAULTS["stopped"], FAULTS["killed"]):
        begin(stores)
        eventually(lambda: stores_of_ten() == {"dynamodb"})
        end(stores)
        eventually(lambda: stores_of_ten() == {"redis"})


def test_a_restart_between_two_requests_is_not_noticed(run, stores, log):
    api = run(shop(), stores.settings())
    assert api.get("/products", key="alice").status_code == 200
    stores.redis.restart_empty()
    assert api.get("/products", key="alice").status_code == 200
    assert [line["store"] for line in log.requests] == ["redis", "redis"]


def test_probes_are_few_while_redis_is_down(deploy, stores, brief_settings, log):
    api = deploy(shop(TokenBucket("10000/s", burst=10000)), brief_settings)
    traffic = Traffic(api)
    traffic.until(lambda: log.last["store"] == "redis")
    stores.to_redis.hang()
    traffic.until(lambda: log.last["store"] == "dynamodb")
    stores.to_redis.reset_counts()
    before, began = len(log.requests), time.monotonic()
    traffic.go_on(1.5)
    requests, probes = len(log.requests) - before, stores.to_redis.connections
    assert 1 <= probes <= 2 + 5 * (time.monotonic() - began), "the pauses begin at 0.2 s and double up to 1 s"
    assert probes < requests / 3
