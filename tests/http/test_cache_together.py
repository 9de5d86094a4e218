"""Requests for one thing at the same time, in one environment and in several: one computes, nobody asks Redis often."""

import asyncio
import threading

import pytest
from fastapi import FastAPI, Response

from tests.harness.cache_status import told
from tests.harness.waiting import eventually
from tests.http.cached import AMPLE, PATIENCE_S, Catalogue, control
from tests.http.wire import Call, http_scope
from tidegate import Cache, policy, protect

TAGGED = ("product:{product_id}",)


@pytest.fixture
def catalogue():
    made = Catalogue(tags=TAGGED, shared=True, wait="20s")
    made.held.clear()
    yield made
    made.held.set()


def test_all_who_ask_at_once_are_one_computation(serve, stores, catalogue):
    api = serve(catalogue.app, stores.settings())
    asked = [api.begin("GET", "/products/a", key=f"caller-{n % 3}") for n in range(30)]
    assert catalogue.began.wait(PATIENCE_S)
    catalogue.held.set()
    answers = [answer.result(PATIENCE_S) for answer in asked]
    assert catalogue.calls["/products/a"] == 1
    assert {answer.content for answer in answers} == {answers[0].content}
    ways = [told(answer) for answer in answers]
    assert sum("stored" in way for way in ways) == 1
    assert all("stored" in way or "collapsed" in way or "hit" in way for way in ways)


def test_uncached_ones_are_one_too_if_the_route_says_so(serve, stores, catalogue, log):
    api = serve(catalogue.app, stores.settings())
    first = api.begin("GET", "/together", key="ann")
    assert catalogue.began.wait(PATIENCE_S)
    others = [api.begin("GET", "/together", key="ann") for _ in range(10)]
    stranger = api.begin("GET", "/together", key="bob")
    eventually(lambda: catalogue.calls["/together"] == 2, within_s=PATIENCE_S)
    eventually(lambda: stores.to_redis.commands.count("EVALSHA") >= 12, within_s=PATIENCE_S)
    catalogue.held.set()
    assert {answer.result(PATIENCE_S).content for answer in others} == {first.result(PATIENCE_S).content}
    assert stranger.result(PATIENCE_S).status_code == 200
    assert catalogue.calls["/together"] == 2
    assert sorted(line["cache"] for line in log.requests) == ["collapsed"] * 10 + ["computed"] * 2
    api.get("/together", key="ann")
    assert catalogue.calls["/together"] == 3, "nothing was kept"


def test_another_environment_waits_and_is_woken(serve, deploy, stores, catalogue, log):
    """Two environments of one application: the second asks Redis three times in all, and computes nothing."""
    here = serve(catalogue.app, stores.settings())
    first = here.begin("GET", "/products/a", key="ann")
    assert catalogue.began.wait(PATIENCE_S)

    other = Catalogue(tags=TAGGED, shared=True, wait="20s")
    there = deploy(other.app, stores.settings())
    there.get("/products/warm", key="ann")
    before = len(stores.to_redis.commands)
    second = there.begin("GET", "/products/a", key="bob")
    eventually(lambda: "XREAD" in stores.to_redis.commands, within_s=PATIENCE_S)
    catalogue.held.set()
    assert second.result(PATIENCE_S).content == first.result(PATIENCE_S).content
    assert other.calls["/products/a"] == 0
    assert told(second.result()) == {"fwd": "uri-miss", "ttl": told(second.result())["ttl"], "collapsed": True}
    asked = stores.to_redis.commands[before:]
    assert sorted(asked) == ["EVALSHA", "EVALSHA", "EVALSHA", "XREAD"], "one of them is the first one's settlement"
    assert "collapsed" in [line.get("cache") for line in log.requests]


def test_who_has_waited_long_enough_computes(serve, deploy, stores, catalogue):
    here = serve(catalogue.app, stores.settings())
    here.begin("GET", "/products/a", key="ann")
    assert catalogue.began.wait(PATIENCE_S)
    other = Catalogue(tags=TAGGED, shared=True, wait="50ms")
    there = deploy(other.app, stores.settings())
    answer = there.get("/products/a", key="bob")
    assert other.calls["/products/a"] == 1
    assert told(answer) == {"fwd": "uri-miss", "fwd-status": 200, "ttl": 3600}


def test_when_the_one_who_computes_fails_the_next_does_it(serve, deploy, stores, catalogue):
    here = serve(catalogue.app, stores.settings())
    catalogue.raises = RuntimeError("broken")
    first = here.begin("GET", "/products/a", key="ann")
    assert catalogue.began.wait(PATIENCE_S)
    other = Catalogue(tags=TAGGED, shared=True, wait="20s")
    there = deploy(other.app, stores.settings())
    second = there.begin("GET", "/products/a", key="bob")
    eventually(lambda: "XREAD" in stores.to_redis.commands, within_s=PATIENCE_S)
    catalogue.held.set()
    assert first.result(PATIENCE_S).status_code == 500
    assert told(second.result(PATIENCE_S))["stored"] is True
    assert "hit" in told(there.get("/products/a", key="bob"))


def test_a_late_writer_stores_nothing_that_was_deleted(serve, stores, catalogue):
    api = serve(catalogue.app, stores.settings())
    first = api.begin("GET", "/products/a", key="ann")
    assert catalogue.began.wait(PATIENCE_S)
    assert api.post("/products/a", key="ann").json() is True
    catalogue.held.set()
    assert told(first.result(PATIENCE_S)) == {"fwd": "uri-miss", "fwd-status": 200, "detail": "superseded"}
    assert control(first.result()) == {"no-store": True}
    assert api.get("/products/a", key="ann").json()["number"] == 2
    assert api.get("/products/a", key="ann").json()["number"] == 2


def test_the_environments_own_copy_of_it_is_void_too(serve, memory, catalogue):
    api = serve(catalogue.app, memory)
    first = api.begin("GET", "/products/a", key="ann")
    assert catalogue.began.wait(PATIENCE_S)
    api.post("/products/a", key="ann")
    second = api.begin("GET", "/products/a", key="ann")
    eventually(lambda: catalogue.calls["/products/a"] == 2, within_s=PATIENCE_S)
    catalogue.held.set()
    assert {first.result(PATIENCE_S).status_code, second.result(PATIENCE_S).status_code} == {200}
    assert api.get("/products/a", key="ann").json()["number"] == 2


def test_what_is_for_one_alone_is_given_to_nobody_who_waited(serve, stores):
    """Ten requests of one caller: each gets a cookie of its own."""
    app, made, together = FastAPI(), [], threading.Event()

    @app.get("/session")
    @policy(limits=[AMPLE], cache=Cache("1h", wait="20s"))
    def session():
        assert together.wait(PATIENCE_S)
        made.append(1)
        return Response(headers={"set-cookie": f"session={len(made)}"})

    api = serve(app, stores.settings())
    asked = [api.begin("GET", "/session", key="ann") for _ in range(10)]
    together.set()
    cookies = {answer.result(PATIENCE_S).headers["set-cookie"] for answer in asked}
    assert len(cookies) == 10


def test_the_client_who_leaves_while_it_is_computed_holds_nobody_up(stores, closing):
    """Its server cancels the request: the lease is given back, and the next one computes."""
    app, calls, began, holding = FastAPI(), [], asyncio.Event(), asyncio.Event()

    @app.get("/a")
    @policy(limits=[AMPLE], cache=Cache("1h", shared=True, wait="20s"))
    async def a():
        calls.append(1)
        began.set()
        if len(calls) == 1:
            await holding.wait()
        return "made"

    closing.callback(protect(app, settings=stores.settings()).close)

    async def scenario():
        first = Call(app, http_scope("GET", "/a"))
        await asyncio.wait_for(began.wait(), PATIENCE_S)
        second = Call(app, http_scope("GET", "/a"))
        first.task.cancel()
        await asyncio.wait_for(second.task, PATIENCE_S)
        return second

    second = asyncio.run(scenario())
    assert (second.body, len(calls)) == (b'"made"', 2)
