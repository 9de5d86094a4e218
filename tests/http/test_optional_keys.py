"""`idempotent="optional"`: a key is honoured where it is sent, and nobody needs one."""

import pytest
from fastapi import FastAPI, Request

from tidegate import ConfigurationError, Policy, TokenBucket, policy


@pytest.fixture
def runs():
    return []


def application(runs, **more):
    app = FastAPI()

    @app.post("/pay")
    @policy(idempotent="optional", **more)
    async def pay(request: Request):
        runs.append(await request.body())
        return {"run": len(runs), "claimed": request.state.tidegate.claim is not None}

    return app


@pytest.mark.parametrize("claims", ["dynamodb", "redis"])
def test_a_key_is_honoured_and_not_required(run, stores, runs, claims):
    api = run(application(runs, claims=claims), stores.settings())
    key = {"idempotency-key": "one"}
    answers = [api.post("/pay", key="ada", headers=fields, content=b"x") for fields in (key, key, {}, {})]
    assert [answer.json()["run"] for answer in answers] == [1, 1, 2, 3]
    assert [answer.json()["claimed"] for answer in answers] == [True, True, False, False]
    assert answers[1].headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in answers[3].headers
    assert api.post("/pay", key="ada", headers=key, content=b"y").status_code == 422
    assert runs == [b"x"] * 3


def test_it_holds_in_memory_too(run, memory, runs):
    api = run(application(runs), memory)
    answers = [api.post("/pay", headers=fields) for fields in ({"idempotency-key": "one"},) * 2 + ({},)]
    assert [answer.json()["run"] for answer in answers] == [1, 1, 2]


def test_a_request_without_a_key_may_be_larger_than_one_with(run, memory, runs):
    api = run(application(runs, max_body_bytes=10), memory)
    assert api.post("/pay", headers={"idempotency-key": "one"}, content=b"x" * 11).status_code == 413
    assert api.post("/pay", content=b"x" * 11).status_code == 200


def test_an_empty_or_a_wrong_key_is_still_refused(run, memory, runs):
    api = run(application(runs), memory)
    assert [api.post("/pay", headers={"idempotency-key": key}).status_code for key in ("", "ä")] == [400, 400]
    assert runs == []


def test_without_a_key_only_the_limits_are_asked(deploy, stores, runs):
    api = deploy(application(runs, limits=[TokenBucket("9/d")]), stores.settings())
    api.post("/pay", key="ada")
    stores.to_redis.reset_counts()
    stores.to_dynamo.reset_counts()
    assert api.post("/pay", key="ada").status_code == 200
    assert (stores.to_redis.round_trips, stores.to_dynamo.commands) == (1, [])


def test_another_word_is_refused_when_declared():
    with pytest.raises(ConfigurationError, match="idempotent"):
        Policy(idempotent="maybe")
