"""What the health of a service says of an outage: which store fails since when, and which one decides."""

from datetime import UTC, datetime

import pytest

from tests.harness.waiting import eventually
from tests.http.traffic import shop
from tidegate import policy, protect


@pytest.fixture
def new_api(serve, brief_settings):
    """`new_api()`: the shop with a route that tells its health."""

    def make():
        app = shop()
        gate = protect(app, settings=brief_settings)

        @app.get("/health")
        @policy(limits=[])
        async def health():
            return await gate.health()

        return serve(app, gate=gate)

    return make


def test_health_shows_the_outage_and_its_end(new_api, stores):
    api = new_api()

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


def test_health_asks_the_stores_without_any_traffic(new_api, stores):
    stores.redis.kill()
    api = new_api()
    assert api.get("/health").json()["status"] == "degraded"
    stores.redis.start()
    eventually(lambda: api.get("/health").json()["status"] == "ok")
