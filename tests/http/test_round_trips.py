"""What a request costs: counted on the wire, between the application and the real servers."""

import pytest
import redis.asyncio
from fastapi import FastAPI

from tests.harness.waiting import all_made, eventually
from tidegate import Cache, TokenBucket, policy

AMPLE = TokenBucket("1000/s", burst=1000)
ORDER = {"idempotency-key": '"8e03978e-40d5-43e8-bc93-6894a57f9324"'}


def shop():
    app = FastAPI()

    @app.get("/products")
    @policy(limits=[AMPLE, TokenBucket("100000/h", burst=1000)])
    async def products():
        return []

    @app.get("/catalogue")
    @policy(limits=[AMPLE, TokenBucket("100000/h", burst=1000)], cache=Cache("1h", tags=("products",)))
    async def catalogue():
        return []

    @app.post("/orders", status_code=201)
    @policy(limits=[AMPLE], idempotent=True)
    async def order(body: dict):
        return body

    @app.post("/quick-orders")
    @policy(limits=[AMPLE], idempotent=True, claims="redis")
    async def quick_order(body: dict):
        return body

    @app.get("/organised")
    @policy(limits=[TokenBucket("1/h", burst=1, per="organisation")], on_outage="reject")
    async def organised():
        return []

    @app.get("/health")
    @policy(limits=[])
    async def health():
        return "ok"

    return app


@pytest.fixture
def warm(deploy, stores):
    """An environment that has answered before, sent its heartbeat and made its clients."""
    api = deploy(shop(), stores.settings())
    api.get("/products", key="alice")
    api.post("/orders", key="alice", headers={"idempotency-key": "warm-up"}, json={})
    eventually(lambda: stores.to_dynamo.open_connections)
    all_made()
    stores.to_redis.reset_counts()
    stores.to_dynamo.reset_counts()
    return api


def test_where_no_limit_applies_to_the_caller_nothing_is_asked(warm, stores):
    assert [warm.get("/organised", key="alice").status_code for _ in range(2)] == [200, 200]
    stores.to_redis.refuse()
    stores.to_dynamo.refuse()
    assert warm.get("/organised", key="alice").status_code == 200, "nor refused while no store can be asked"
    assert (stores.to_redis.commands, stores.to_dynamo.commands) == ([], [])


def test_a_warm_get_with_several_limits_is_one_round_trip(warm, stores):
    assert warm.get("/products", key="alice").status_code == 200
    assert (stores.to_redis.round_trips, stores.to_redis.commands) == (1, ["EVALSHA"])
    assert stores.to_dynamo.commands == []


def test_a_cached_answer_is_looked_up_in_the_same_round_trip_as_the_limits(warm, stores):
    warm.get("/catalogue", key="alice")
    stores.to_redis.reset_counts()
    assert warm.get("/catalogue", key="alice").headers["cache-status"].startswith("tidegate;hit")
    assert (stores.to_redis.round_trips, stores.to_redis.commands) == (1, ["EVALSHA"])
    assert stores.to_dynamo.commands == []


def test_a_refusal_is_one_round_trip(deploy, stores):
    app = FastAPI()

    @app.get("/once")
    @policy(limits=[TokenBucket("1/h")])
    async def once():
        return []

    api = deploy(app, stores.settings())
    api.get("/once", key="alice")
    stores.to_redis.reset_counts()
    assert api.get("/once", key="alice").status_code == 429
    assert stores.to_redis.round_trips == 1


def test_the_first_post_of_a_key_is_one_and_one_more(warm, stores):
    assert warm.post("/orders", key="alice", headers=ORDER, json={"a": 1}).status_code == 201
    assert (stores.to_redis.round_trips, stores.to_redis.commands) == (2, ["EVALSHA", "EVALSHA"])
    assert stores.to_dynamo.commands == ["PutItem", "UpdateItem"]


def test_a_replay_is_one_round_trip_and_asks_dynamodb_nothing(warm, stores):
    warm.post("/orders", key="alice", headers=ORDER, json={"a": 1})
    stores.to_redis.reset_counts()
    stores.to_dynamo.reset_counts()
    answer = warm.post("/orders", key="alice", headers=ORDER, json={"a": 1})
    assert answer.headers["idempotent-replayed"] == "true"
    assert (stores.to_redis.round_trips, stores.to_redis.commands) == (1, ["EVALSHA"])
    assert stores.to_dynamo.commands == []


def test_where_redis_holds_the_claims_dynamodb_is_not_asked(warm, stores):
    assert warm.post("/quick-orders", key="alice", headers=ORDER, json={}).status_code == 200
    assert stores.to_redis.commands == ["EVALSHA", "EVALSHA"]
    stores.to_redis.reset_counts()
    assert "idempotent-replayed" in warm.post("/quick-orders", key="alice", headers=ORDER, json={}).headers
    assert stores.to_redis.round_trips == 1
    assert stores.to_dynamo.commands == []


def test_a_heartbeat_rides_along(deploy, stores, redis_db):
    api = deploy(shop(), stores.settings())
    stores.to_redis.reset_counts()
    api.get("/products", key="alice")  # the environment's first decision: the scripts are new to the server, too
    sent = stores.to_redis.counts()
    assert (sent.round_trips, list(sent.commands)) == (2, ["EVALSHA", "EVALSHA", "EVAL", "EVAL"])
    assert redis_db.zcard("tidegate:{fleet:default}") == 1

    redis_db.delete("tidegate:{fleet:default}")
    second = deploy(shop(), stores.settings())
    second.get("/health")  # composes it; nothing is asked
    stores.to_redis.reset_counts()
    second.get("/products", key="alice")
    assert (stores.to_redis.round_trips, stores.to_redis.commands) == (1, ["EVALSHA", "EVALSHA"])
    assert redis_db.zcard("tidegate:{fleet:default}") == 1


def test_a_route_without_limits_asks_nothing(warm, stores):
    answer = warm.get("/health", key="alice")
    assert answer.status_code == 200
    assert "ratelimit" not in answer.headers
    assert (stores.to_redis.round_trips, stores.to_dynamo.commands) == (0, [])


def test_what_is_refused_before_the_question_asks_nothing(warm, stores):
    assert warm.post("/orders", key="alice", json={}).status_code == 400
    assert (stores.to_redis.round_trips, stores.to_dynamo.commands) == (0, [])


def test_connections_are_reused_over_invocations(warm, stores):
    before = stores.redis.info("stats")["total_connections_received"]
    for n in range(10):
        assert warm.get("/products", key="alice").status_code == 200
        assert warm.post("/orders", key="alice", headers={"idempotency-key": f"k{n}"}, json={}).status_code == 201
    opened = stores.redis.info("stats")["total_connections_received"] - before
    assert opened == 1, "the one is this test's own, which asks for the number"
    assert (stores.to_redis.connections, stores.to_dynamo.connections) == (0, 0)


def test_redis_answers_an_invocation_after_it_closed_the_idle_connection(warm, stores, log, redis_db):
    redis_db.client_kill_filter(_type="normal", skipme=True)
    assert warm.get("/products", key="alice").status_code == 200
    assert log.last["store"] == "redis"
    assert stores.to_redis.connections == 1


def test_a_client_that_is_bound_to_the_loop_serves_a_second_invocation(deploy, stores):
    """Mangum 0.20 ran each event on a loop of its own, which kills such clients from the second event on."""
    app, kept = FastAPI(), {}

    @app.get("/count")
    @policy(limits=[AMPLE])
    async def count():
        if "client" not in kept:
            kept["client"] = redis.asyncio.Redis.from_url(stores.redis.url)
        return await kept["client"].incr("count")

    @app.get("/close")
    async def close():
        await kept["client"].aclose()

    api = deploy(app, stores.settings())
    assert [api.get("/count", key="alice").json() for _ in range(3)] == [1, 2, 3]
    api.get("/close")


def test_a_server_opens_no_more_connections_than_requests_run_at_once(serve, stores):
    api = serve(shop(), stores.settings())
    for _ in range(3):
        asked = [api.begin("GET", "/products", key="alice") for _ in range(20)]
        assert {answer.result(20).status_code for answer in asked} == {200}
    assert stores.to_redis.connections <= 20
