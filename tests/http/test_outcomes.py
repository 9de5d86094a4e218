"""What became of requests is counted per version, beside the admissions, on both faces."""

import contextlib
import dataclasses
import threading
import time

import pytest
from fastapi import FastAPI, Response

from functions.rollout.counts import StoredCounts, stored_counts
from tests.harness.lambda_events import LambdaContext
from tests.harness.waiting import eventually
from tests.http.faces import Function, Server
from tidegate import Gate, Settings, TokenBucket, policy, protect
from tidegate.outcomes import counter, tally

AMPLE = TokenBucket("100000/s", burst=100000)


def shop(blocked: threading.Event | None = None) -> FastAPI:
    app = FastAPI()

    @app.get("/items/{status}")
    @policy(limits=[AMPLE])
    async def items(status: int) -> Response:
        return Response(status_code=status)

    @app.get("/raises")
    @policy(limits=[AMPLE])
    async def raises() -> None:
        raise LookupError

    @app.get("/health")
    @policy(limits=[])
    async def health() -> str:
        return "ok"

    @app.get("/blocked")
    @policy(limits=[AMPLE])
    async def block() -> None:
        assert blocked is not None
        assert blocked.wait(30)

    return app


@pytest.fixture
def settings(stores):
    return stores.settings(counted_as=("shop", "7"))


@pytest.fixture
def reader(stores, settings):
    told = {"TIDEGATE_REDIS_URL": stores.redis.url, "TIDEGATE_TABLE": stores.table, "AWS_REGION": "us-east-1"}
    with contextlib.closing(stored_counts(told)) as made:
        yield made


@pytest.fixture(params=["function", "server"])
def gated(request, closing):
    """`gated(app, settings)`: the application on either face, and its gate."""

    def start(app: FastAPI, settings: Settings) -> tuple[Function | Server, Gate]:
        on_lambda = request.param == "function"
        gate = protect(app, settings=dataclasses.replace(settings, on_lambda=on_lambda))
        closing.callback(gate.close)
        return closing.enter_context(contextlib.closing((Function if on_lambda else Server)(app))), gate

    return start


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """A batch with each decision that has something to take along."""
    monkeypatch.setattr(tally, "BATCH_EVERY_S", 0.0)


def counted(reader: StoredCounts):
    """(cold, warm), each (requests, 5xx, timeouts, answered without a 5xx)."""
    found = reader.since("shop", ["7"], int(time.time()) - 120).get("7")
    return found and tuple((c.requests, c.server_errors, c.timeouts, c.latency.total) for c in found[::-1])


def requests(reader: StoredCounts) -> int:
    cold, warm = counted(reader) or ((0,), (0,))
    return cold[0] + warm[0]


def test_outcomes_are_counted_with_the_decision_after(run, settings, reader):
    api = run(shop(), settings)
    for path in ("/items/200", "/items/503", "/raises", "/items/404", "/health", "/items/200"):
        api.get(path, key="alice")
    assert counted(reader) == ((1, 0, 0, 1), (4, 2, 0, 2)), "all but the last, which nobody has taken along yet"
    api.get("/items/200", key="alice")
    assert counted(reader) == ((1, 0, 0, 1), (5, 2, 0, 3))


def test_a_replayed_answer_is_not_counted_again_for_whoever_replays_it(run, settings, reader):
    app = shop()

    @app.post("/orders")
    @policy(limits=[AMPLE], idempotent=True)
    async def orders() -> Response:
        return Response(status_code=500)

    api = run(app, settings)
    for _ in range(4):
        answer = api.post("/orders", key="alice", headers={"idempotency-key": '"one"'})
        assert answer.status_code == 500
    assert answer.headers["idempotent-replayed"] == "true"
    api.get("/items/200", key="alice")
    assert counted(reader) == ((1, 1, 0, 0), (0, 0, 0, 0))


def test_they_cost_no_round_trip(run, stores, settings):
    api = run(shop(), settings)
    for _ in range(3):  # by then every script is known
        api.get("/items/200", key="alice")
    stores.to_redis.reset_counts()
    api.get("/items/200", key="alice")
    assert (stores.to_redis.round_trips, stores.to_redis.commands) == (1, ["EVALSHA", "EVALSHA"])


def test_at_most_one_a_second_is_taken_along(deploy, stores, settings, monkeypatch):
    monkeypatch.setattr(tally, "BATCH_EVERY_S", 3600.0)
    api = deploy(shop(), settings)
    for _ in range(3):
        api.get("/items/200", key="alice")
    stores.to_redis.reset_counts()
    api.get("/items/200", key="alice")
    assert (stores.to_redis.round_trips, stores.to_redis.commands) == (1, ["EVALSHA"])


def test_without_the_setting_nothing_is_counted(run, stores, reader):
    api = run(shop(), stores.settings())
    for _ in range(3):
        api.get("/items/200", key="alice")
    assert counted(reader) is None


def test_the_rest_is_handed_over_at_the_end(gated, settings, reader):
    api, gate = gated(shop(), settings)
    api.get("/items/200", key="alice")
    assert counted(reader) is None
    gate.close()
    assert counted(reader) == ((1, 0, 0, 1), (0, 0, 0, 0))
    gate.close()
    assert counted(reader) == ((1, 0, 0, 1), (0, 0, 0, 0))


def test_many_requests_at_once_are_all_counted(gated, settings, reader):
    api, gate = gated(shop(), settings)
    for _ in range(3):
        asked = [api.begin("GET", "/items/200", key="alice") for _ in range(20)]
        assert {answer.result(20).status_code for answer in asked} == {200}
    gate.close()
    assert counted(reader) == ((1, 0, 0, 1), (59, 0, 0, 59))


def test_while_redis_is_away_they_go_to_dynamodb_and_each_is_counted_once(
    gated, stores, settings, reader, log, monkeypatch
):
    monkeypatch.setattr(counter, "WAITS_S", 0.0)
    monkeypatch.setattr(tally, "AGAIN_AFTER_S", 0.0)
    api, gate = gated(shop(), settings)
    sent = 0

    def ask() -> bool:
        nonlocal sent
        status = api.get("/items/200", key="alice").status_code
        assert status in {200, 429}  # the fallback begins without a burst
        sent += status == 200  # refusals count apart
        return True

    for _ in range(5):
        ask()
    in_redis = requests(reader)
    stores.redis.kill()
    eventually(lambda: ask() and requests(StoredCounts("default", None, reader._dynamodb)) >= 3)
    stores.redis.start()
    eventually(lambda: ask() and log.last["store"] == "redis")

    def counted_in_all() -> int:
        gate.close()  # hands over what is left: a server counts its last request after the client has its response
        # What the old Redis had is gone with it; whoever had read it keeps it.
        return in_redis + requests(StoredCounts("default", reader._redis, reader._dynamodb))

    eventually(lambda: counted_in_all() >= sent)
    assert counted_in_all() == sent
    assert requests(reader) >= in_redis


def test_a_request_about_to_be_killed_is_counted_once_as_timed_out(deploy, settings, reader):
    blocked = threading.Event()
    api = deploy(shop(blocked), settings)
    api.get("/items/200", key="alice")
    running = api.begin("GET", "/blocked", key="alice", context=LambdaContext(timeout_ms=600))
    try:
        eventually(lambda: counted(reader) == ((1, 0, 0, 1), (1, 0, 1, 0)))
    finally:
        blocked.set()
    running.result(20)
    for _ in range(2):
        api.get("/items/200", key="alice")
    assert counted(reader) == ((1, 0, 0, 1), (2, 0, 1, 1))
