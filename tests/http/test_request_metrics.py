"""The one line of a request carries its metrics, whatever became of the request and whoever decided."""

import pytest
from fastapi import FastAPI

from tests.harness.emf import by_name, samples
from tidegate import TokenBucket, metrics, policy


@pytest.fixture(autouse=True)
def namespace(monkeypatch):
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Shop")
    metrics.namespace.cache_clear()
    yield
    monkeypatch.undo()
    metrics.namespace.cache_clear()


def shop():
    app = FastAPI()

    @app.get("/products/{product}")
    @policy(limits=[TokenBucket("2/h")])
    async def product(product: str):
        return product

    @app.get("/broken")
    async def broken():
        raise RuntimeError

    return app


def test_one_line_has_the_decision_the_ids_and_the_metrics(deploy, stores, log, monkeypatch):
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1")
    deploy(shop(), stores.settings(release="r7")).get("/products/one", key="alice")
    (line,) = log.all
    assert (line["outcome"], line["store"], line["status"]) == ("admitted", "redis", 200)
    assert line["request_id"]
    assert line["xray_trace_id"] == "1-5759e988-bd862e3fe1be46a994272793"
    by_route = by_name(line, service="tidegate", route="/products/{product}")
    assert by_route == {"requests": 1, "requests_admitted": 1, "duration_ms": line["duration_ms"]}
    by_store = by_name(line, service="tidegate", store="redis")
    assert by_store == {"decisions": 1, "admission_ms": line["admission_ms"]}
    assert by_name(line, service="tidegate", release="r7") == {"requests": 1, "duration_ms": line["duration_ms"]}


def test_what_went_wrong_is_counted_by_cause(run, stores, log):
    api = run(shop(), stores.settings())
    for _ in range(3):
        api.get("/products/one", key="alice")
    limited = log.last
    api.get("/broken", key="alice")
    assert by_name(limited, service="tidegate", cause="quota-exceeded") == {"requests_limited": 1}
    assert "server_errors" not in limited
    assert by_name(log.last, service="tidegate", route="/broken", cause="RuntimeError") == {"requests_failed": 1}
    assert log.last["server_errors"] == 1


def test_no_metric_knows_who_asked(run, stores, log):
    run(shop(), stores.settings()).get("/products/one", key="alice")
    dimensions = {name for sample in samples(log.last) for name, _ in sample.dimensions}
    assert log.last["principal"].startswith("key:")
    assert "principal" not in dimensions


def test_a_store_that_is_lost_is_counted_and_so_is_who_decides_instead(deploy, stores, log):
    api = deploy(shop(), stores.settings())
    api.get("/products/one", key="alice")
    stores.redis.kill()
    for name in ("bob", "carol"):
        api.get("/products/one", key=name)
    changes = [line for line in log.all if "state" in line]
    assert [by_name(line, service="tidegate", store="redis", state="failing") for line in changes] == [
        {"store_changes": 1}
    ]
    decided = by_name(log.last, service="tidegate", store="dynamodb")
    assert decided == {"decisions": 1, "admission_ms": log.last["admission_ms"]}
