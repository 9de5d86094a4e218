"""Services that share their stores and nothing else, though nobody has chosen a namespace for either."""

import pytest
from fastapi import FastAPI

from tidegate import Cache, TokenBucket, policy

KEY = '"order-1"'


def service(title):
    """Make a service; all of them have the same routes, which answer with their own name."""
    app, runs = FastAPI(title=title), []

    @app.post("/orders")
    @policy(limits=[TokenBucket("1/min", burst=3)], idempotent=True)
    async def order():
        runs.append(title)
        return {"of": title, "number": len(runs)}

    @app.get("/products")
    @policy(limits=[], cache=Cache("60s", shared=True))
    async def products():
        return {"of": title}

    return app


@pytest.fixture
def two(run, stores):
    return [run(service(title), stores.settings()) for title in ("Orders", "Payments")]


def test_a_service_replays_no_answer_of_another(two):
    for api, title in zip(two, ("Orders", "Payments"), strict=True):
        answer = api.post("/orders", key="alice", headers={"idempotency-key": KEY})
        assert answer.json() == {"of": title, "number": 1}
        assert "idempotent-replayed" not in answer.headers


def test_a_service_serves_no_copy_of_another(two):
    assert [api.get("/products", key="alice").json()["of"] for api in two] == ["Orders", "Payments"]


def test_a_service_spends_no_limit_of_another(two):
    one, other = two
    for number in range(3):
        assert one.post("/orders", key="alice", headers={"idempotency-key": f'"{number}"'}).status_code == 200
    assert one.post("/orders", key="alice", headers={"idempotency-key": '"4"'}).status_code == 429
    assert other.post("/orders", key="alice", headers={"idempotency-key": '"4"'}).status_code == 200


def test_environments_of_a_service_share_its_state(run, stores):
    one, other = (run(service("Orders"), stores.settings()) for _ in range(2))
    first = one.post("/orders", key="alice", headers={"idempotency-key": KEY})
    again = other.post("/orders", key="alice", headers={"idempotency-key": KEY})
    assert again.headers["idempotent-replayed"] == "true"
    assert again.content == first.content
