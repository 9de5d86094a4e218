"""What a change costs, and when its client is told: copies are void before, in one trip, where there are any."""

import threading

import pytest
from fastapi import FastAPI

from tests.harness.cache_status import told
from tests.harness.waiting import eventually
from tests.http.cached import AMPLE, PATIENCE_S
from tidegate import Cache, policy


@pytest.fixture
def shop():
    app, stock = FastAPI(), {"lamp": 10}

    @app.get("/products/{name}")
    @policy(limits=[AMPLE], cache=Cache("1h", shared=True))
    def product(name: str):
        return stock[name]

    @app.put("/products/{item}")
    @policy(limits=[AMPLE])
    def restock(item: str, pieces: int):
        stock[item] = pieces

    @app.post("/products/{item}")
    @policy(limits=[AMPLE], idempotent=True)
    def sell(item: str):
        stock[item] -= 1
        return stock[item]

    @app.post("/orders")
    @policy(limits=[AMPLE])
    def order():
        return None

    mounted = FastAPI()

    @mounted.get("/pages/{name}")
    @policy(limits=[AMPLE], cache=Cache("1h", shared=True))
    def page(name: str):
        return stock["lamp"]

    @mounted.put("/pages/{name}")
    @policy(limits=[AMPLE])
    def write(name: str):
        return None

    app.mount("/sub", mounted)
    return app


@pytest.fixture
def api(run, stores, shop):
    return run(shop, stores.settings())


def test_who_changed_it_reads_what_he_wrote_and_so_does_everybody_else(api):
    for key in ("ann", "bob"):
        assert api.get("/products/lamp", key=key).json() == 10
    assert api.request("PUT", "/products/lamp?pieces=7", key="ann").status_code == 200
    assert [api.get("/products/lamp", key=key).json() for key in ("ann", "bob")] == [7, 7]


def test_an_idempotent_change_voids_once_and_its_replay_nothing(api):
    api.get("/products/lamp", key="ann")
    sold = {"key": "ann", "headers": {"idempotency-key": "order-1"}}
    assert api.post("/products/lamp", **sold).json() == 9
    assert api.get("/products/lamp", key="ann").json() == 9
    assert "idempotent-replayed" in api.post("/products/lamp", **sold).headers
    assert told(api.get("/products/lamp", key="ann"))["hit"] is True


def test_a_change_below_a_mount_voids_what_is_there(api):
    api.get("/sub/pages/a", key="ann")
    assert told(api.get("/sub/pages/a", key="ann"))["hit"] is True
    assert api.request("PUT", "/sub/pages/a", key="ann").status_code == 200
    assert "hit" not in told(api.get("/sub/pages/a", key="ann"))


@pytest.mark.parametrize(("method", "path", "trips"), [("POST", "/orders", 1), ("PUT", "/products/lamp?pieces=3", 2)])
def test_a_change_is_a_round_trip_more_only_where_something_is_cached(api, stores, method, path, trips):
    api.request(method, path, key="ann")
    stores.to_redis.reset_counts()
    api.request(method, path, key="ann")
    assert stores.to_redis.commands == ["EVALSHA"] * trips


def test_what_redis_could_not_be_told_is_void_here_at_once_and_there_later(api, stores, log):
    api.get("/products/lamp", key="ann")
    stores.to_redis.refuse()
    assert api.request("PUT", "/products/lamp?pieces=7", key="ann").status_code == 200
    assert api.get("/products/lamp", key="ann").json() == 7
    stores.to_redis.pass_through()
    eventually(lambda: api.get("/products/lamp", key="ann").status_code == 200 and log.last["store"] == "redis")
    assert api.get("/products/lamp", key="ann").json() == 7


def test_what_was_computed_before_the_change_is_not_kept(serve, stores):
    """A late writer: he has read what there was before."""
    app, began, go = FastAPI(), threading.Event(), threading.Event()
    stock = {"lamp": 10}

    @app.get("/products/{name}")
    @policy(limits=[AMPLE], cache=Cache("1h", shared=True))
    def product(name: str):
        read = stock[name]
        began.set()
        assert go.wait(PATIENCE_S)
        return read

    @app.delete("/products/{name}")
    @policy(limits=[AMPLE])
    def sell_out(name: str):
        stock[name] = 0

    api = serve(app, stores.settings())
    late = api.begin("GET", "/products/lamp")
    assert began.wait(PATIENCE_S)
    api.request("DELETE", "/products/lamp")
    go.set()
    assert told(late.result(PATIENCE_S))["detail"] == "superseded"
    assert api.get("/products/lamp").json() == 0
