"""The handler fails, or Redis is gone: copies stand in, and each environment computes one thing once at a time."""

import pytest
from fastapi import FastAPI

from tests.harness.cache_status import told
from tests.harness.waiting import eventually
from tests.http.cached import PATIENCE_S, Catalogue, control
from tests.http.faces import Server
from tidegate import Cache, policy

# A change of store begins without a burst; what is tested here isn't limits.
NO_LIMITS = ()
# Fresh for no time that a test could notice, stale for long.
OLD = {"fresh": "1ms", "stale": "1h", "shared": True}


def old_copy(api, path="/products/a"):
    """A copy that is past its freshness."""
    api.get(path, key="ann")
    eventually(lambda: told(api.get(path, key="ann")).get("ttl", 0) <= 0)


@pytest.mark.parametrize("failure", ["raises", "answers"])
def test_a_copy_stands_in_for_a_failure_and_says_so(run, stores, failure, log):
    catalogue = Catalogue(NO_LIMITS, fresh="1ms", stale_if_error="1h")
    api = run(catalogue.app, stores.settings())
    good = api.get("/products/a", key="ann")
    if failure == "raises":
        catalogue.raises = RuntimeError("broken")
    else:
        catalogue.status = 503
    answer = eventually(lambda: _stood_in(api.get("/products/a", key="ann")))
    assert answer.json()["number"] >= good.json()["number"]
    assert told(answer)["fwd-status"] == (500 if failure == "raises" else 503)
    assert told(answer)["ttl"] <= 0
    assert "age" in answer.headers
    assert log.last["cache"] == "stale"


def _stood_in(answer):
    assert answer.status_code == 200
    return answer if told(answer).get("detail") == "stale-if-error" else None


def test_while_it_rests_nobody_tries_again(run, stores):
    catalogue = Catalogue(NO_LIMITS, **OLD)
    api = run(catalogue.app, stores.settings())
    old_copy(api)
    catalogue.status = 500
    eventually(lambda: _stood_in(api.get("/products/a", key="ann")))
    tried = catalogue.calls["/products/a"]
    answers = [api.get("/products/a", key="ann") for _ in range(5)]
    assert {answer.status_code for answer in answers} == {200}
    assert catalogue.calls["/products/a"] <= tried + 1
    assert any(told(answer).get("hit") for answer in answers)


def test_a_failure_without_a_copy_is_a_failure(run, stores):
    catalogue = Catalogue(NO_LIMITS, **OLD)
    catalogue.raises = RuntimeError("broken")
    api = run(catalogue.app, stores.settings())
    answer = api.get("/products/a", key="ann")
    assert answer.status_code == 500
    assert control(answer) == {"no-store": True}
    catalogue.raises = None
    assert api.get("/products/a", key="ann").status_code == 200


def test_when_redis_is_gone_the_environments_copy_is_given(run, stores, log, redis_server):
    catalogue = Catalogue(NO_LIMITS, stale="1h", shared=True)
    api = run(catalogue.app, stores.settings())
    first = api.get("/products/a", key="ann")
    redis_server.kill()
    second = api.get("/products/a", key="ann")
    assert second.content == first.content
    assert told(second)["hit"] is True
    assert log.last["store"] == "dynamodb"
    assert catalogue.calls["/products/a"] == 1
    redis_server.start()
    eventually(lambda: api.get("/products/a", key="ann").status_code == 200 and log.last["store"] == "redis")
    assert told(api.get("/products/a", key="ann")).get("hit"), "the one who found Redis empty has stored it"


def test_an_environment_learns_from_what_redis_gave_it(serve, deploy, stores, redis_server):
    catalogue, other = Catalogue(NO_LIMITS, shared=True), Catalogue(NO_LIMITS, shared=True)
    here, there = serve(catalogue.app, stores.settings()), deploy(other.app, stores.settings())
    here.get("/products/a", key="ann")
    there.get("/products/a", key="bob")
    redis_server.kill()
    assert told(there.get("/products/a", key="bob"))["hit"] is True
    assert other.calls["/products/a"] == 0


def test_without_redis_those_who_ask_at_once_are_one_computation(serve, stores, redis_server):
    catalogue = Catalogue(NO_LIMITS, shared=True, wait="20s")
    api: Server = serve(catalogue.app, stores.settings())
    api.get("/products/warm", key="ann")
    redis_server.kill()
    catalogue.held.clear()
    asked = [api.begin("GET", "/products/a", key="ann") for _ in range(10)]
    eventually(lambda: catalogue.calls["/products/a"], within_s=PATIENCE_S)
    catalogue.held.set()
    assert {answer.result(PATIENCE_S).status_code for answer in asked} == {200}
    assert catalogue.calls["/products/a"] == 1


def test_an_invalidation_redis_missed_reaches_all_copies_once_it_is_back(run, stores, log):
    catalogue = Catalogue(NO_LIMITS, tags=("product:{product_id}",), shared=True)
    api = run(catalogue.app, stores.settings())
    api.get("/products/a", key="ann")
    stores.to_redis.refuse()
    assert api.post("/products/a", key="ann").json() is False
    assert api.get("/products/a", key="ann").json()["number"] == 2
    stores.to_redis.pass_through()
    api.get("/products/b", key="ann")
    eventually(lambda: api.get("/products/b", key="ann").status_code == 200 and log.last["store"] == "redis")
    assert api.get("/products/a", key="ann").json()["number"] >= 2


def test_the_local_copy_stands_in_for_a_dependency_that_is_down(run, memory):
    app, broken = FastAPI(), []

    @app.get("/a")
    @policy(limits=[], cache=Cache("1ms", stale_if_error="1h"))
    async def a():
        if broken:
            raise RuntimeError
        return "made"

    api = run(app, memory)
    api.get("/a")
    broken.append(1)
    answer = eventually(lambda: _stood_in(api.get("/a")))
    assert answer.json() == "made"
