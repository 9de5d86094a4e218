"""Redis lost and found again, as clients see it: they don't."""

import time
from datetime import UTC, datetime

import pytest
from fastapi import FastAPI

from tests.http.deadlines import all_made, eventually
from tidegate import TokenBucket, policy, protect

BUDGET_MS = 300
BACK_WITHIN_S = 2.0
QUICK = TokenBucket("50/s", burst=20)


def shop(limit=QUICK):
    app = FastAPI()

    @app.get("/products")
    @policy(limits=[limit])
    async def products():
        return []

    return app


@pytest.fixture
def settings(stores):
    return stores.settings(decision_budget_ms=BUDGET_MS)


class Traffic:
    """Requests one after the other, each of which must be answered well."""

    def __init__(self, *apis):
        self._apis = apis
        self.admitted = 0

    def one(self):
        for api in self._apis:
            answer = api.get("/products", key="alice")
            assert answer.status_code in {200, 429}, answer.text
            self.admitted += answer.status_code == 200

    def until(self, reached, *, within_s=10.0):
        """Send until it is so; returns the seconds that it took."""
        began = time.monotonic()
        while True:
            self.one()
            if reached():
                return time.monotonic() - began
            assert time.monotonic() - began < within_s, f"not reached in {within_s} s"

    def last(self, seconds):
        ends = time.monotonic() + seconds
        self.until(lambda: time.monotonic() > ends)


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
def test_the_fallback_takes_over_and_redis_is_used_again_by_itself(deploy, stores, settings, log, fault):
    break_it, mend_it = FAULTS[fault]
    traffic = Traffic(deploy(shop(), settings))
    traffic.until(lambda: log.last["store"] == "redis")
    break_it(stores)
    traffic.until(lambda: log.last["store"] == "dynamodb")
    traffic.last(0.3)
    mend_it(stores)
    assert traffic.until(lambda: log.last["store"] == "redis") < BACK_WITHIN_S


def test_on_a_server_under_parallel_requests(serve, stores, settings, log):
    api = serve(shop(), settings)

    def parallel():
        asked = [api.begin("GET", "/products", key="alice") for _ in range(10)]
        assert {answer.result(20).status_code for answer in asked} <= {200, 429}
        return {line["store"] for line in log.requests[-10:]}

    eventually(lambda: parallel() == {"redis"})
    stores.redis.stop()
    eventually(lambda: parallel() == {"dynamodb"})
    stores.redis.cont()
    eventually(lambda: parallel() == {"redis"})
    stores.redis.kill()
    eventually(lambda: parallel() == {"dynamodb"})
    stores.redis.start()
    eventually(lambda: parallel() == {"redis"})


def test_a_restart_between_two_requests_is_not_noticed(run, stores, settings, log):
    api = run(shop(), stores.settings())
    assert api.get("/products", key="alice").status_code == 200
    stores.redis.restart_empty()
    assert api.get("/products", key="alice").status_code == 200
    assert [line["store"] for line in log.requests] == ["redis", "redis"]


def test_few_probes_while_redis_is_down(deploy, stores, settings, log):
    api = deploy(shop(TokenBucket("10000/s", burst=10000)), settings)
    traffic = Traffic(api)
    traffic.until(lambda: log.last["store"] == "redis")
    stores.to_redis.hang()
    traffic.until(lambda: log.last["store"] == "dynamodb")
    stores.to_redis.reset_counts()
    before, began = len(log.requests), time.monotonic()
    traffic.last(1.5)
    requests, probes = len(log.requests) - before, stores.to_redis.connections
    assert 1 <= probes <= 2 + 5 * (time.monotonic() - began), "the pauses begin at 0.2 s and double up to 1 s"
    assert probes < requests / 3


def test_health_shows_the_outage_and_its_end(serve, stores, settings):
    app = shop()
    gate = protect(app, settings=settings)

    @app.get("/health")
    @policy(limits=[])
    async def health():
        return await gate.health()

    api = serve(app, gate=gate)

    def shown():
        body = api.get("/health").json()
        return body | {store["name"]: store for store in body["stores"]}

    assert api.get("/products").status_code == 200
    well = shown()
    assert (well["status"], well["deciding"]) == ("ok", "redis")
    assert [well[name]["state"] for name in ("redis", "dynamodb")] == ["ready", "ready"]
    assert [store["name"] for store in well["stores"]] == ["redis", "dynamodb"]
    assert well["redis"]["latency_ms"] >= 0
    assert well["redis"]["error"] is None

    lost = datetime.now(UTC)
    stores.redis.kill()
    assert api.get("/products").status_code in {200, 429}
    ill = eventually(lambda: (now := shown())["redis"]["state"] == "failing" and now)
    assert (ill["status"], ill["deciding"]) == ("degraded", "dynamodb")
    assert ill["redis"]["breaker"] in {"open", "half-open"}
    since = datetime.fromisoformat(ill["redis"]["since"])
    assert abs((since - lost).total_seconds()) < 10
    assert ill["redis"]["latency_ms"] is None
    assert ill["redis"]["error"] in {"refused", "reset"}, "the class of the fault; what a driver said is in the log"
    assert ill["dynamodb"]["state"] == "ready"
    assert shown()["redis"]["since"] == ill["redis"]["since"], "the outage's beginning, not the last attempt"

    stores.to_dynamo.refuse()
    assert eventually(lambda: (now := shown())["status"] == "down" and now)["dynamodb"]["state"] == "failing"

    stores.to_dynamo.pass_through()
    stores.redis.start()
    better = eventually(lambda: (now := shown())["status"] == "ok" and now)
    assert better["redis"]["breaker"] == "closed"
    assert better["redis"]["since"] > ill["redis"]["since"]


def test_health_asks_the_stores_without_any_traffic(serve, stores, settings):
    app = shop()
    gate = protect(app, settings=settings)

    @app.get("/health")
    @policy(limits=[])
    async def health():
        return await gate.health()

    stores.redis.kill()
    api = serve(app, gate=gate)
    assert api.get("/health").json()["status"] == "degraded"
    stores.redis.start()
    eventually(lambda: api.get("/health").json()["status"] == "ok", within_s=BACK_WITHIN_S)


LIMIT = TokenBucket("20/s", burst=30)


class Bound:
    """What a limit may admit from now on: its burst, its rate as long as it lasts, and the one token of a change."""

    def __init__(self, limit, traffic):
        self._limit, self._traffic = limit, traffic
        self._admitted, self._began = traffic.admitted, time.monotonic()

    def holds(self):
        refilled = (time.monotonic() - self._began) * 1e6 / self._limit.bucket.interval_us
        allowed = self._limit.bucket.burst + refilled + 1
        assert self._traffic.admitted - self._admitted <= allowed
        return True


def test_limits_hold_over_two_environments_while_redis_is_down_and_when_it_is_back(deploy, stores, settings, log):
    traffic = Traffic(deploy(shop(LIMIT), settings), deploy(shop(LIMIT), settings))
    before = Bound(LIMIT, traffic)
    traffic.last(0.5)
    assert before.holds()

    outage = Bound(LIMIT, traffic)
    stores.redis.kill()
    traffic.until(lambda: log.last["store"] == "dynamodb")
    refilling = traffic.admitted
    traffic.last(0.8)
    assert traffic.admitted > refilling, "the fallback refills, too"
    assert outage.holds()

    back = Bound(LIMIT, traffic)
    stores.redis.start()  # empty: it remembers nobody's debt
    traffic.until(lambda: log.last["store"] == "redis")
    traffic.last(0.5)
    assert back.holds()


def test_one_environment_never_gets_a_fresh_burst(deploy, stores, settings, log):
    """Over both changes together: it knows itself what it has spent."""
    traffic = Traffic(deploy(shop(LIMIT), settings))
    whole = Bound(LIMIT, traffic)
    traffic.last(0.3)
    for _ in range(2):
        stores.redis.kill()
        traffic.until(lambda: log.last["store"] == "dynamodb")
        traffic.last(0.3)
        assert whole.holds()
        stores.redis.start()
        traffic.until(lambda: log.last["store"] == "redis")
        traffic.last(0.2)
        assert whole.holds()


def test_an_environment_that_is_born_in_the_outage_keeps_to_the_same_limit(deploy, stores, settings, log):
    old = Traffic(deploy(shop(LIMIT), settings))
    old.last(0.2)
    stores.redis.kill()
    both = Traffic(deploy(shop(LIMIT), settings), deploy(shop(LIMIT), settings))
    outage = Bound(LIMIT, both)
    both.last(0.5)
    assert log.last["store"] == "dynamodb"
    assert outage.holds()


def test_a_caller_who_was_idle_before_the_outage_is_served_in_it(deploy, stores, settings, log):
    api = deploy(shop(), settings)
    api.get("/products", key="alice")
    all_made()
    stores.redis.kill()
    eventually(lambda: api.get("/products", key="bob").status_code == 200, within_s=2)
    assert log.last["store"] == "dynamodb"
