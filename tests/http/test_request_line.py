"""One structured line for each request, and no secret in it."""

import pytest
from fastapi import FastAPI, HTTPException

from tests.harness.lambda_events import LambdaContext
from tests.harness.waiting import eventually
from tests.http.payments import Payments
from tidegate import TokenBucket, policy
from tidegate.telemetry import logger

KEY = {"idempotency-key": "8e03978e-40d5-43e8-bc93-6894a57f9324"}
SECRET = "sk-live-0123456789"


def shop():
    app = FastAPI()

    @app.get("/products/{product}")
    @policy(limits=[TokenBucket("2/h")])
    async def product(product: str):
        return product

    @app.get("/health")
    @policy(limits=[])
    async def health():
        return "ok"

    @app.get("/broken")
    async def broken():
        raise RuntimeError(SECRET)

    @app.get("/missing")
    async def missing():
        raise HTTPException(404)

    return app


def line_of(log, call):
    """The one line that this request has written."""
    before = len(log.requests)
    call()
    assert len(log.requests) == before + 1
    return log.last


def test_an_admitted_request(run, stores, log):
    api = run(shop(), stores.settings(release="r7"))
    line = line_of(log, lambda: api.get("/products/one", key="alice"))
    assert line["level"] == "INFO"
    assert line["service"] == "tidegate"
    assert "timestamp" in line
    assert line["principal"].startswith("key:")
    assert (line["method"], line["route"], line["status"]) == ("GET", "/products/{product}", 200)
    assert (line["outcome"], line["store"], line["release"]) == ("admitted", "redis", "r7")
    assert 0 < line["admission_ms"] <= line["duration_ms"]
    assert "reason" not in line


def test_a_refusal_says_why(run, stores, log):
    api = run(shop(), stores.settings())
    for _ in range(2):
        api.get("/products/one", key="alice")
    line = line_of(log, lambda: api.get("/products/two", key="alice"))
    assert (line["outcome"], line["status"]) == ("limited", 429)
    assert line["reason"].endswith("#quota-exceeded")


def test_a_replay(run, stores, log):
    api = run(Payments().app, stores.settings())
    api.post("/refunds", key="alice", headers=KEY, json={"amount": 5})
    line = line_of(log, lambda: api.post("/refunds", key="alice", headers=KEY, json={"amount": 5}))
    assert (line["outcome"], line["status"], line["store"]) == ("replayed", 200, "redis")


def test_a_request_whose_key_cannot_be_taken(run, stores, log):
    api = run(Payments().app, stores.settings())
    line = line_of(log, lambda: api.post("/refunds", key="alice", json={"amount": 5}))
    assert (line["outcome"], line["status"]) == ("refused", 400)
    assert line["reason"] == "urn:tidegate:problem:idempotency-key-missing"
    assert "store" not in line


def test_a_route_without_limits(run, stores, log):
    line = line_of(log, lambda: run(shop(), stores.settings()).get("/health", key="alice"))
    assert (line["outcome"], line["status"], line["route"]) == ("unguarded", 200, "/health")
    assert "store" not in line
    assert "admission_ms" not in line


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ("/nowhere", ("*", 404, "admitted")),
        ("/missing", ("/missing", 404, "admitted")),
        ("/broken", ("/broken", 500, "failed")),
    ],
)
def test_errors(run, stores, log, path, written):
    line = line_of(log, lambda: run(shop(), stores.settings()).get(path, key="alice"))
    assert (line["route"], line["status"], line["outcome"]) == written


def test_on_lambda_it_bears_the_requests_id(deploy, stores, log):
    context = LambdaContext(aws_request_id="11111111-2222-3333-4444-555555555555")
    deploy(shop(), stores.settings()).get("/health", key="alice", context=context)
    assert log.last["request_id"] == context.aws_request_id


def test_no_line_holds_the_value_of_an_api_key_or_of_an_idempotency_key(run, stores, log):
    api = run(Payments().app, stores.settings())
    headers = {**KEY, "x-api-key": SECRET, "authorization": f"Bearer {SECRET}"}
    for path in ("/refunds", "/broken", "/nowhere"):
        api.post(path, headers=headers, json={"amount": 5})
    stores.redis.kill()
    stores.to_dynamo.refuse()
    api.post("/refunds", headers=headers, json={"amount": 5})
    assert len(log.requests) == 4
    assert SECRET not in log.text
    assert KEY["idempotency-key"] not in log.text


def test_one_key_is_one_principal_and_another_secret_gives_another_name(serve, stores, log):
    for secret in ("one", "one", "two"):
        serve(shop(), stores.settings(principal_secret=secret)).get("/health", key=SECRET)
    first, same, other = (line["principal"] for line in log.requests)
    assert first == same != other


def test_a_store_that_is_lost_and_found_has_a_line_for_each(deploy, stores, log):
    api = deploy(shop(), stores.settings())
    api.get("/missing", key="alice")
    stores.redis.kill()
    for _ in range(5):
        api.get("/missing", key="alice")
    stores.redis.start()
    eventually(lambda: api.get("/missing", key="alice") and log.last["store"] == "redis")
    changes = [(line["state"], line["level"]) for line in log.all if line.get("store") == "redis" and "state" in line]
    assert changes == [("failing", "WARNING"), ("ready", "INFO")]


def test_the_line_has_what_powertools_own_lines_have(deploy, stores, log, monkeypatch):
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1")
    api = deploy(shop(), stores.settings())
    line = line_of(log, lambda: api.get("/products/one", key="alice"))
    logger().info("other")
    other = log.all[-1]
    assert other["message"] == "other"
    assert other.keys() <= line.keys()
    same = ("level", "location", "service", "xray_trace_id")
    assert [line[name] for name in same] == [other[name] for name in same]
    assert len(line["timestamp"]) == len(other["timestamp"])


def test_a_level_that_keeps_information_out_keeps_the_lines_out(deploy, stores, log):
    api = deploy(shop(), stores.settings())
    before = logger().log_level
    logger().setLevel("WARNING")
    try:
        api.get("/products/one", key="alice")
        assert log.requests == []
    finally:
        logger().setLevel(before)
