"""The app as the function runs it: API Gateway's events through Mangum, several on one environment."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from functions.api.app import create_app
from functions.api.data.driver import Driver
from functions.rollout.smoke import request as release_request
from tests.api.gateway import Gateway, event
from tidegate import ConfigurationError

ROOT = Path(__file__).parents[2]
ONE_LAMP = {"items": [{"product_id": "lamp", "quantity": 1}]}


@pytest.fixture(autouse=True)
def loop():
    """One event loop for all invocations, as Lambda's main thread has; Mangum runs them on it."""
    own = asyncio.new_event_loop()
    asyncio.set_event_loop(own)
    yield own
    asyncio.set_event_loop(None)
    own.close()


@pytest.fixture
def gateway(start, store):
    return Gateway(start(AWS_LAMBDA_FUNCTION_NAME="api", **store))


def test_products_are_listed_and_read(gateway):
    listed = gateway.get("/v1/products?limit=2")
    first = listed.json["items"][0]["id"]

    assert listed.status == 200
    assert len(listed.json["items"]) == 2
    assert gateway.get(f"/v1/products?limit=2&cursor={listed.json['next']}").json["next"] is None
    assert gateway.get(f"/v1/products/{first}").json["id"] == first


def test_an_order_is_placed_replayed_and_read_in_every_store(gateway, tables):
    placed = gateway.post("/v1/orders", ONE_LAMP, idempotency_key='"8e03978e"')
    replayed = gateway.post("/v1/orders", ONE_LAMP, idempotency_key="8e03978e")

    assert (placed.status, replayed.status) == (201, 201)
    assert replayed.text == placed.text
    assert replayed.headers["idempotent-replayed"] == "true"
    assert gateway.get(placed.headers["location"]).text == placed.text
    assert tables.stock("lamp") == 9


def test_the_releases_machine_is_told_what_a_client_is_not(start):
    """It asks a version itself, by an event that no gateway makes."""
    app = start(TIDEGATE_STORE="memory", AWS_LAMBDA_FUNCTION_NAME="api", TIDEGATE_PRODUCTS_TABLE="nowhere")
    gateway = Gateway(app)
    asked = gateway.send(release_request("/health/ready"))
    assert (asked.status, asked.json["detail"]) == (503, "Failing: products-table.")
    assert gateway.send(release_request("/health")).json["schema_version"] == 1

    named = event("GET", "/health", {"tidegate": "release", "x-tidegate": "release"}, api_key_id=None)
    named["queryStringParameters"] = {"tidegate": "release", "requestContext": '{"tidegate": "release"}'}
    answer = gateway.send(named)
    assert answer.status == 503
    assert "schema_version" not in answer.json
    assert "detail" not in answer.json


def test_the_api_keys_id_is_the_owner(start, tables):
    app = start(TIDEGATE_STORE="memory", TIDEGATE_TRUST_API_KEY_HEADER="0")
    placed = Gateway(app, api_key_id="k-ann").post("/v1/orders", ONE_LAMP, idempotency_key="1")

    assert Gateway(app, api_key_id="k-bob").get(placed.headers["location"]).status == 404
    assert [item["owner"]["S"] for item in tables.order_items()] == ["key:k-ann"]


@pytest.mark.parametrize(
    ("body", "key", "status"), [("{", "1", 400), (ONE_LAMP, "x" * 256, 400), ({"items": []}, "1", 422)]
)
def test_bad_input_is_a_problem(body, key, status, gateway):
    answer = gateway.post("/v1/orders", body, idempotency_key=key)

    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_unhandled_exception_is_a_500_problem_without_a_trace(gateway, monkeypatch):
    monkeypatch.setattr("functions.api.routes.products.shop", lambda: 1 / 0)

    answer = gateway.get("/v1/products")

    assert answer.status == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "ZeroDivision" not in answer.text


def test_invocations_share_one_client(start, monkeypatch):
    made = []
    init = Driver.__init__
    monkeypatch.setattr(Driver, "__init__", lambda self, *given: (made.append(1), init(self, *given))[1])
    gateway = Gateway(start(TIDEGATE_STORE="memory"))

    assert {gateway.get("/v1/products").status for _ in range(5)} == {200}
    assert len(made) == 1


def test_a_cold_start_that_answers_health_pays_for_no_driver():
    proxy_event = event("GET", "/health/live", api_key_id=None)
    refused = event("POST", "/v1/orders", {"content-type": "application/json"}, json.dumps(ONE_LAMP))
    code = f"""
import sys
from functions.api.handler import handler
live = handler({proxy_event!r}, None)
assert live["statusCode"] == 200, live
keyless = handler({refused!r}, None)
assert keyless["statusCode"] == 400, keyless
heavy = [name for name in ("pynamodb", "boto3", "botocore.session", "botocore.client") if name in sys.modules]
assert not heavy, heavy
"""
    environ = {
        "PATH": os.environ["PATH"],
        "TIDEGATE_STORE": "memory",
        "TIDEGATE_PRODUCTS_TABLE": "p",
        "TIDEGATE_ORDERS_TABLE": "o",
    }
    run = subprocess.run(
        [sys.executable, "-c", code], check=False, cwd=ROOT, env=environ, capture_output=True, text=True
    )

    assert run.returncode == 0, run.stderr


def test_on_lambda_a_missing_table_stops_the_start(monkeypatch):
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "api")
    monkeypatch.setenv("TIDEGATE_STORE", "memory")

    with pytest.raises(ConfigurationError, match="TIDEGATE_PRODUCTS_TABLE"):
        create_app()


def test_under_a_server_a_missing_table_stops_the_start(loop, monkeypatch):
    monkeypatch.setenv("TIDEGATE_STORE", "memory")
    app = create_app()

    async def start_up():
        async with app.router.lifespan_context(app):
            pass

    with pytest.raises(ConfigurationError, match="TIDEGATE_PRODUCTS_TABLE"):
        loop.run_until_complete(start_up())
