"""Rates by the caller's tier: each sees his own, nobody shares another's, and a mistake lets nobody through."""

import asyncio

import http_sf
import pytest
from fastapi import FastAPI

from tests.http.faces import statuses
from tidegate import (
    Caller,
    ConfigurationError,
    LeakyBucket,
    ProblemError,
    Quota,
    SlidingWindow,
    SlidingWindowCounter,
    Tiers,
    TokenBucket,
    policy,
    protect,
)

PLANS = Tiers({"free": "2/d", "pro": "4/d"}, default="free")


def identify(scope):
    """Who asks, and at which plan, as the request's own fields say."""
    fields = {name.decode(): value.decode() for name, value in scope["headers"]}
    return Caller("user:" + fields.get("x-user", "nobody"), tier=fields.get("x-plan"))


def with_route(*limits):
    app = FastAPI()

    @app.get("/it")
    @policy(limits=limits)
    async def it():
        return "done"

    return app


def ask(api, user, plan=None):
    return api.get("/it", headers={"x-user": user, **({"x-plan": plan} if plan else {})})


def quota_of(answer):
    [(name, numbers)] = dict(http_sf.parse(answer.headers["ratelimit-policy"].encode(), tltype="list")).items()
    return name, numbers["q"]


KINDS = {
    "bucket": lambda rates: TokenBucket(rates, name="plan"),
    "window": lambda rates: SlidingWindow(rates, name="plan"),
    "counter": lambda rates: SlidingWindowCounter(rates, name="plan"),
}


@pytest.mark.parametrize("redis", [True, False], ids=["redis", "dynamodb"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_caller_has_the_rate_of_his_tier_and_sees_it(run, stores, kind, redis):
    settings = stores.settings() if redis else stores.settings(redis_url=None)
    api = run(with_route(KINDS[kind](PLANS)), settings, identify=identify)
    free = [ask(api, "ada", "free") for _ in range(3)]
    paid = [ask(api, "bob", "pro") for _ in range(5)]
    assert statuses(free) == [200, 200, 429]
    assert statuses(paid) == [200, 200, 200, 200, 429]
    assert (quota_of(free[0]), quota_of(paid[0])) == (("plan", 2), ("plan", 4))


def test_quotas_and_leaky_buckets_take_tiers_too(run, memory):
    quota = Quota(Tiers({"free": "1/day", "pro": "60/day"}, default="free"), name="day")
    shaped = LeakyBucket(Tiers({"free": "1/s", "pro": "900/s"}, default="free"), max_wait="1ms")
    api = run(with_route(quota, shaped), memory, identify=identify)
    assert statuses([ask(api, "ada"), ask(api, "ada")]) == [200, 429]
    assert statuses([ask(api, "bob", "pro"), ask(api, "bob", "pro")]) == [200, 200]


def test_a_caller_without_a_tier_has_the_named_default(run, memory):
    api = run(with_route(TokenBucket(PLANS)), memory, identify=identify)
    assert statuses([ask(api, "ada") for _ in range(3)]) == [200, 200, 429]


def test_an_unknown_tier_has_the_least_rate_and_is_logged_once(run, memory, log):
    plans = Tiers({"pro": "4/d", "free": "1/d"}, default="pro")
    api = run(with_route(TokenBucket(plans)), memory, identify=identify)
    assert statuses([ask(api, "ada", "platinum") for _ in range(3)]) == [200, 429, 429]
    told = [line for line in log.all if line["message"] == "a tier is unknown"]
    assert [(line["tier"], line["rate"]) for line in told] == [("'platinum'", "1/d")]


@pytest.mark.parametrize("kind", KINDS)
def test_a_caller_whose_tier_changes_keeps_what_he_owes(run, stores, kind):
    api = run(with_route(KINDS[kind](PLANS)), stores.settings(), identify=identify)
    assert statuses([ask(api, "ada", "pro") for _ in range(4)]) == [200] * 4
    assert statuses([ask(api, "ada", "free"), ask(api, "ada", "pro")]) == [429, 429]


def test_a_function_of_the_caller_says_his_rate(run, stores):
    by_name = TokenBucket(lambda caller: "1/d" if caller.principal == "user:ada" else "3/d")
    api = run(with_route(by_name), stores.settings(), identify=identify)
    assert statuses([ask(api, "ada"), ask(api, "ada")]) == [200, 429]
    assert statuses([ask(api, "bob") for _ in range(4)]) == [200, 200, 200, 429]


def test_windows_of_different_lengths_are_not_read_as_one_another(run, stores):
    window = SlidingWindow(lambda caller: "1/d" if caller.tier == "free" else "2/h", name="it")
    api = run(with_route(window), stores.settings(), identify=identify)
    assert statuses([ask(api, "ada", "free"), ask(api, "ada", "free")]) == [200, 429]
    assert statuses([ask(api, "ada", "pro") for _ in range(3)]) == [200, 200, 429]
    assert ask(api, "ada", "free").status_code == 429


def raises(caller):
    raise KeyError("nothing of ours")


@pytest.mark.parametrize("wrong", [raises, *(lambda _, it=it: it for it in (None, "", "fast", 5, [], "0/s"))])
def test_a_rate_that_is_none_is_the_applications_mistake(run, stores, log, wrong):
    api = run(with_route(TokenBucket(wrong), SlidingWindow("9/d")), stores.settings(), identify=identify)
    refused = ask(api, "ada")
    assert (refused.status_code, refused.json()["type"]) == (500, "urn:tidegate:problem:rate-unknown")
    assert "ours" not in refused.text
    assert any("a rate" in line["message"] for line in log.all)


def test_a_rate_function_may_refuse_by_itself(run, memory):
    def rate(caller):
        raise ProblemError(402, "no-plan", "No plan")

    refused = ask(run(with_route(TokenBucket(rate)), memory, identify=identify), "ada")
    assert (refused.status_code, refused.json()["type"]) == (402, "urn:tidegate:problem:no-plan")


def test_a_shadow_whose_rate_is_none_refuses_nobody(run, memory):
    api = run(with_route(TokenBucket(raises, shadow=True), TokenBucket("1/d")), memory, identify=identify)
    assert statuses([ask(api, "ada"), ask(api, "ada")]) == [200, 429]


def test_peeking_sees_the_callers_own_rate(closing, memory):
    gate = protect(with_route(TokenBucket(PLANS)), settings=memory)
    closing.callback(gate.close)
    [left] = asyncio.run(gate.peek(Caller("user:ada", tier="pro"), "GET", "/it"))
    assert (left.limit, left.remaining) == ("4/d", 4)


def test_an_authorizers_tier_is_read(deploy, stores):
    api = deploy(with_route(TokenBucket(PLANS)), stores.settings())
    paid = [api.get("/it", authorizer={"principalId": "ada", "tier": "pro"}) for _ in range(5)]
    assert statuses(paid) == [200] * 4 + [429]


async def later(caller):
    return "1/s"


@pytest.mark.parametrize(
    ("declare", "advice"),
    [
        (lambda: Tiers({"free": "1/s"}, default="pro"), "write one of"),
        (lambda: Tiers({"free": "fast"}, default="free"), "no rate"),
        (lambda: TokenBucket(later), "async"),
        (lambda: TokenBucket(PLANS, per="route"), "one rate"),
        (lambda: SlidingWindow(Tiers({"a": "1/s", "b": "9/h"}, default="a")), "one period"),
        (lambda: Quota(PLANS), "1000/day"),
    ],
)
def test_tiers_that_can_not_hold_are_refused_when_declared(declare, advice):
    with pytest.raises(ConfigurationError, match=advice):
        declare()
