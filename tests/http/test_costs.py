"""Costs that nobody can pay or reckon with: refused for good and clearly, charged to nobody, no store's fault."""

from __future__ import annotations

import math

import pytest
from fastapi import FastAPI, HTTPException, Request

from tidegate import (
    LeakyBucket,
    ProblemError,
    Quota,
    SlidingWindow,
    SlidingWindowCounter,
    TokenBucket,
    policy,
)

BAD = {
    "negative": -1,
    "none": None,
    "true": True,
    "float": 1.0,
    "nan": math.nan,
    "text": "3",
    "list": [1],
    "far-below": -(10**30),
}
FAR = {"huge": 10**15, "huger": 10**40, "a-trillion": 10**12, "one-more": 11}


def cost(scope) -> int:
    """What the query says, so that one route can be asked at every cost."""
    asked = scope["query_string"].decode().removeprefix("units=")
    if asked == "raises":
        raise KeyError("nothing of ours")
    if asked == "problem":
        raise ProblemError(400, "units-missing", "Units missing", "Say how many.")
    if asked == "http":
        raise HTTPException(404, "No such thing")
    return {**BAD, **FAR, "": 1}[asked]


KINDS = {
    "bucket": lambda **more: TokenBucket("10/d", **more),
    "leaky": lambda **more: LeakyBucket("1/s", max_wait="9s", **more),
    "window": lambda **more: SlidingWindow("10/d", **more),
    "counter": lambda **more: SlidingWindowCounter("10/d", **more),
    "quota": lambda **more: Quota("10/day", **more),
}


def costly(limit, ran) -> FastAPI:
    app = FastAPI()

    @app.get("/it")
    @policy(limits=[limit])
    async def it():
        ran.append(1)
        return "done"

    return app


@pytest.fixture
def ran() -> list[int]:
    return []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("asked", FAR)
def test_a_cost_above_what_a_limit_ever_admits_is_refused_for_good(run, stores, ran, kind, asked):
    api = run(costly(KINDS[kind](cost=cost), ran), stores.settings())
    for _ in range(2):
        refused = api.get(f"/it?units={asked}", key="alice")
        assert (refused.status_code, refused.headers.get("retry-after")) == (422, None)
        assert refused.json()["type"] == "urn:tidegate:problem:cost-exceeds-limit"
        assert len(refused.json()["violated-policies"]) == 1
    assert ran == []
    assert api.get("/it", key="alice").status_code == 200
    assert api.get("/it", key="bob").status_code == 200


@pytest.mark.parametrize("asked", [*BAD, "raises"])
def test_a_cost_that_is_none_is_the_applications_mistake(run, stores, ran, log, asked):
    api = run(costly(TokenBucket("1/d", cost=cost), ran), stores.settings())
    refused = api.get(f"/it?units={asked}", key="alice")
    assert (refused.status_code, refused.headers.get("retry-after")) == (500, None)
    assert refused.json()["type"] == "urn:tidegate:problem:cost-unknown"
    assert "ours" not in refused.text
    assert any("cost" in line["message"] for line in log.all)
    assert ran == []
    # Nothing was charged, and Redis still decides.
    assert api.get("/it", key="alice").status_code == 200
    assert log.last["store"] == "redis"


def test_a_cost_function_may_say_that_the_client_is_wrong(run, stores, ran):
    api = run(costly(TokenBucket("1/d", cost=cost), ran), stores.settings())
    wrong = api.get("/it?units=problem", key="alice")
    assert (wrong.status_code, wrong.json()["type"]) == (400, "urn:tidegate:problem:units-missing")
    absent = api.get("/it?units=http", key="alice")
    assert (absent.status_code, absent.json()["detail"]) == (404, "No such thing")
    assert ran == []
    assert api.get("/it", key="alice").status_code == 200


def test_a_shadow_whose_cost_is_none_refuses_nobody(run, stores, ran):
    api = run(costly(TokenBucket("1/d", cost=cost, shadow=True), ran), stores.settings())
    assert [api.get(f"/it?units={asked}", key="alice").status_code for asked in ("raises", "true", "huge")] == [200] * 3


@pytest.mark.parametrize("units", [-1, None, True, 1.5, math.nan, "3", 10**15])
def test_a_handler_that_charges_no_number_of_units_is_told(run, stores, units):
    app = FastAPI()

    @app.get("/it")
    @policy(limits=[TokenBucket("3/d")])
    async def it(request: Request):
        try:
            request.state.tidegate.charge(units)
        except ValueError as error:
            return str(error)

    api = run(app, stores.settings())
    answers = [api.get("/it", key="alice") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert "write a whole number" in answers[0].json()


def test_a_dear_request_never_closes_a_hierarchy(deploy, stores):
    """Organisation, key and route with odd costs: what one refuses charges none of the others."""
    app = FastAPI()

    def of_query(scope):
        return int(scope["query_string"].removeprefix(b"units="))

    @app.get("/it")
    @policy(
        limits=[
            SlidingWindow("50/d", per="organisation", name="org", cost=of_query),
            Quota("20/day", name="key", cost=of_query),
            LeakyBucket("20/s", max_wait="500ms", per="route", name="route"),
        ]
    )
    async def it():
        return "done"

    api = deploy(app, stores.settings())

    def ask(units, user="ada"):
        return api.get(f"/it?units={units}", authorizer={"principalId": user, "organisation": "acme"})

    assert [ask(units).status_code for units in (51, 21, 10**15)] == [422] * 3
    assert ask(51).json()["violated-policies"] == ["org", "key"]
    assert [ask(units).status_code for units in (20, 1)] == [200, 429]
    assert [ask(units, "bob").status_code for units in (20, 1)] == [200, 429]
    assert [ask(units, "eve").status_code for units in (11, 10, 1)] == [429, 200, 429]
