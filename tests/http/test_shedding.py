"""Capacity is short: who is refused, with what, at what cost; on both faces."""

import asyncio
import time

import httpx
import pytest
from fastapi import FastAPI, Request

from tidegate import Caller, Settings, TokenBucket, criticality, deadline, policy, protect

REDUCED = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"
NO_TIME = {"tidegate-timeout-ms": "0"}
AMPLE = TokenBucket("1000/s", burst=1000)
KEY = {"idempotency-key": "8e03978e-40d5-43e8-bc93-6894a57f9324"}


def shop():
    app = FastAPI()
    app.state.paid = 0

    @app.get("/critical")
    @policy(limits=[AMPLE], priority="critical")
    async def critical():
        return "done"

    @app.get("/sheddable")
    @policy(limits=[AMPLE], priority="sheddable")
    async def sheddable():
        return "done"

    @app.get("/slow")
    @policy(limits=[AMPLE], priority="normal")
    async def slow():
        await asyncio.sleep(0.1)
        return "done"

    @app.get("/told")
    @policy(limits=[])
    async def told(request: Request):
        inherited = (criticality.current.get(), deadline.current.get() is not None)
        return {"headers": request.state.tidegate.headers(), "inherited": inherited}

    @app.post("/payments")
    @policy(limits=[AMPLE], idempotent=True)
    async def pay():
        app.state.paid += 1
        return app.state.paid

    return app


def crowd(api):
    """Let what is normal demand many times what a capacity of one with next to no room admits."""
    for _ in range(6):
        api.get("/slow", key="the-crowd")


# Room for one run of what is critical, which is 0.1 s in two seconds.
NARROW = {"capacity": 1, "shed_in_flight": 0.06}


def test_a_request_without_time_is_told_so_and_no_store_is_asked(run, stores, log):
    api = run(shop(), stores.settings())
    assert api.get("/critical", key="alice").status_code == 200
    stores.to_redis.reset_counts()
    answer = api.get("/critical", key="alice", headers=NO_TIME)
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert answer.json()["type"] == REDUCED
    assert int(answer.headers["retry-after"]) >= 1
    assert "ratelimit" not in answer.headers, "nobody was asked"
    assert stores.to_redis.commands == []
    line = log.last
    assert (line["outcome"], line["shed"], line["reason"], line["status"]) == ("shed", "deadline", REDUCED, 503)
    assert "store" not in line


def test_the_least_critical_is_shed_first_and_costs_no_store_call(run, stores, log):
    api = run(shop(), stores.settings(**NARROW))
    crowd(api)
    assert api.get("/critical", key="alice").status_code == 200
    stores.to_redis.reset_counts()
    answers = [api.get("/sheddable", key=f"client-{i}") for i in range(10)]
    assert {answer.status_code for answer in answers} == {503}
    assert stores.to_redis.commands == []
    line = log.last
    assert (line["outcome"], line["shed"], line["criticality"]) == ("shed", "demand", "sheddable")
    assert 0 < line["pressure"] <= 1
    assert api.get("/critical", key="alice").status_code == 200


def test_a_shadow_refuses_nobody_and_says_whom_it_would(run, memory, log):
    api = run(shop(), _with(memory, shed="shadow", **NARROW))
    crowd(api)
    assert api.get("/sheddable", key="alice").status_code == 200
    assert (log.last["outcome"], log.last["shed"], log.last["pressed_by"]) == ("admitted", "demand", "demand")


def test_off_looks_at_nothing(run, memory, log):
    api = run(shop(), _with(memory, shed="off", **NARROW))
    crowd(api)
    assert api.get("/sheddable", key="alice", headers=NO_TIME).status_code == 200
    assert "pressure" not in log.last


def test_who_can_wait_may_say_so_and_nobody_may_say_the_contrary(run, memory, log):
    api = run(shop(), _with(memory, **NARROW))
    crowd(api)
    assert api.get("/critical", key="alice", headers={"tidegate-criticality": "sheddable"}).status_code == 503
    assert api.get("/sheddable", key="alice", headers={"tidegate-criticality": "critical"}).status_code == 503


def test_a_tier_may_let_its_callers_claim_more(deploy, memory, log):
    api = deploy(shop(), _with(memory, **NARROW))
    crowd(api)
    raised = {"headers": {"tidegate-criticality": "critical"}}
    tier = {"principalId": "ann", "criticality": "critical"}
    assert api.get("/sheddable", authorizer=tier, **raised).status_code == 200
    assert api.get("/sheddable", authorizer={"principalId": "ann"}, **raised).status_code == 503


def test_an_application_may_say_it_too(run, memory, log):
    api = run(shop(), _with(memory, **NARROW), identify=lambda scope: Caller("me", highest="critical"))
    crowd(api)
    assert api.get("/sheddable", headers={"tidegate-criticality": "critical"}).status_code == 200


def test_what_has_waited_long_is_refused_but_not_after_a_cold_start(deploy, memory, log):
    api = deploy(shop(), _with(memory, shed_wait_ms=(1000, 30_000)))
    long_ago = {"request_time_epoch": int(time.time() * 1000) - 60_000}
    assert api.get("/sheddable", key="alice", **long_ago).status_code == 200
    assert api.get("/sheddable", key="alice", **long_ago).status_code == 503
    assert log.last["shed"] == "wait"
    assert api.get("/critical", key="alice", **long_ago).status_code == 200
    assert api.get("/sheddable", key="alice").status_code == 200


def test_a_slow_database_sheds_when_it_is_told_of(serve, memory):
    app = shop()
    gate = protect(app, settings=_with(memory, shed_database_ms=(10, 100)))
    api = serve(app, gate=gate)
    assert api.get("/sheddable", key="alice").status_code == 200
    for _ in range(20):
        gate.observe("database", 500)
    assert api.get("/sheddable", key="alice").status_code == 503
    assert api.get("/critical", key="alice").status_code == 200


def test_a_shed_payment_was_never_begun_and_may_be_sent_again(run, stores):
    app = shop()
    api = run(app, stores.settings())
    assert api.post("/payments", key="alice", headers=KEY | NO_TIME, json={}).status_code == 503
    assert api.post("/payments", key="alice", headers=KEY, json={}).json() == 1
    assert api.post("/payments", key="alice", headers=KEY | NO_TIME, json={}).status_code == 503
    again = api.post("/payments", key="alice", headers=KEY, json={})
    assert (again.json(), again.headers["idempotent-replayed"]) == (1, "true")


def test_what_the_handler_calls_is_told(run, memory):
    api = run(shop(), memory)
    sent = {"tidegate-criticality": "sheddable", "tidegate-timeout-ms": "9000"}
    told = api.get("/told", key="alice", headers=sent).json()
    assert told["inherited"] == ["sheddable", True]
    assert told["headers"]["tidegate-criticality"] == "sheddable"
    assert 0 < int(told["headers"]["tidegate-timeout-ms"]) <= 9000


def test_without_a_deadline_none_is_passed_on(serve, memory):
    told = serve(shop(), memory).get("/told", key="alice").json()
    assert told == {"headers": {"tidegate-criticality": "normal"}, "inherited": ["normal", False]}


def test_lambdas_own_deadline_is_passed_on(deploy, memory):
    told = deploy(shop(), memory).get("/told", key="alice").json()
    assert 0 < int(told["headers"]["tidegate-timeout-ms"]) <= 10_000


@pytest.mark.anyio
async def test_a_caller_in_the_same_task_inherits_nothing(memory):
    app = shop()
    gate = protect(app, settings=memory)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api.test") as client:
        assert (await client.get("/told", headers={"tidegate-timeout-ms": "9000"})).json()["inherited"][1]
    assert (criticality.current.get(), deadline.current.get()) == (None, None)
    gate.close()


def _with(settings: Settings, **changes) -> Settings:
    return Settings(**{name: getattr(settings, name) for name in settings.__slots__} | changes)
