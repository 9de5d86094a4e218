"""What is wrong with the set-up is said when the application starts, and by name."""

import asyncio
import os

import httpx
import pytest
from fastapi import FastAPI

from tests.harness.lambda_events import LambdaContext, rest_event
from tests.http.uvicorn_server import UvicornServer
from tidegate import ConfigurationError, TokenBucket, lambda_handler, policy, protect

REDIS = "redis://127.0.0.1:1/0"


def shop(claims=None):
    app = FastAPI()
    if claims:

        @app.post("/orders")
        @policy(limits=[TokenBucket("10/s")], idempotent=True, claims=claims)
        async def order():
            return "done"

    return app


async def start(app):
    """Start it as an ASGI server does; returns what it has answered."""
    said, messages = [], [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def receive():
        return messages.pop(0)

    async def send(message):
        said.append(message)

    try:
        await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)
    except ConfigurationError:
        assert said, "a bare exception is taken for an application that knows no lifespan, and served"
    return said[0]


WRONG = {
    "nothing is set": ({}, None, "TIDEGATE_REDIS_URL"),
    "a URL without a scheme": ({"TIDEGATE_REDIS_URL": "localhost:6379"}, None, "TIDEGATE_REDIS_URL"),
    "a URL of another kind": ({"TIDEGATE_REDIS_URL": "http://localhost"}, None, "TIDEGATE_REDIS_URL"),
    "a port in words": ({"TIDEGATE_REDIS_URL": "redis://localhost:standard/0"}, None, "TIDEGATE_REDIS_URL"),
    "a port out of range": ({"TIDEGATE_REDIS_URL": "redis://localhost:99999/0"}, None, "TIDEGATE_REDIS_URL"),
    "a database in words": ({"TIDEGATE_REDIS_URL": "redis://localhost:6379/0?db=first"}, None, "TIDEGATE_REDIS_URL"),
    "an option unheard of": ({"TIDEGATE_REDIS_URL": "redis://localhost:6379/0?speed=9"}, None, "TIDEGATE_REDIS_URL"),
    "a store unheard of": ({"TIDEGATE_STORE": "disk"}, None, "TIDEGATE_STORE"),
    "memory and Redis": ({"TIDEGATE_STORE": "memory", "TIDEGATE_REDIS_URL": REDIS}, None, "TIDEGATE_STORE"),
    "a budget in words": ({"TIDEGATE_REDIS_URL": REDIS, "TIDEGATE_DECISION_BUDGET_MS": "fast"}, None, "BUDGET_MS"),
    "an idempotent route and no table": ({"TIDEGATE_REDIS_URL": REDIS}, "dynamodb", "TIDEGATE_TABLE"),
    "claims in a Redis that isn't there": ({"TIDEGATE_TABLE": "t"}, "redis", "TIDEGATE_REDIS_URL"),
    "IAM without a cache": (
        {"TIDEGATE_REDIS_URL": REDIS, "TIDEGATE_REDIS_IAM_USER": "u"},
        None,
        "TIDEGATE_REDIS_IAM_CACHE",
    ),
    "a lifetime without a unit": (
        {"TIDEGATE_REDIS_URL": REDIS, "TIDEGATE_IDEMPOTENCY_LIFETIME": "24"},
        None,
        "TIDEGATE_IDEMPOTENCY_LIFETIME",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_the_start_fails_and_names_what_is_wrong(case):
    variables, claims, named = WRONG[case]
    os.environ.update(variables)
    app = shop(claims)
    protect(app)
    said = asyncio.run(start(app))
    assert said["type"] == "lifespan.startup.failed"
    assert named in said["message"]


def test_a_password_in_a_wrong_url_is_not_said():
    os.environ["TIDEGATE_REDIS_URL"] = "reddis://:hunter2@cache.example:6379"
    app = shop()
    protect(app)
    said = asyncio.run(start(app))
    assert said["type"] == "lifespan.startup.failed"
    assert "hunter2" not in said["message"]


@pytest.mark.parametrize(
    "variables", [{"TIDEGATE_STORE": "memory"}, {"TIDEGATE_REDIS_URL": REDIS, "TIDEGATE_TABLE": "unreachable"}]
)
def test_stores_that_cannot_be_reached_do_not_stop_it(variables):
    """They may come later; and a fleet that can't start while Redis is down would be the worse outage."""
    os.environ.update(variables, AWS_ENDPOINT_URL="http://127.0.0.1:1")
    app = shop("dynamodb")
    gate = protect(app)
    assert asyncio.run(start(app))["type"] == "lifespan.startup.complete"
    gate.close()


def test_on_lambda_it_fails_where_the_module_is_loaded():
    os.environ["AWS_LAMBDA_FUNCTION_NAME"] = "api"
    with pytest.raises(ConfigurationError, match="TIDEGATE_REDIS_URL"):
        protect(shop())


@pytest.mark.usefixtures("lambda_loop")
def test_on_lambda_a_route_that_cannot_be_guarded_is_not_run(log):
    """Routes may be declared after `protect`, so the first invocation is the first to know."""
    os.environ.update(AWS_LAMBDA_FUNCTION_NAME="api", TIDEGATE_REDIS_URL=REDIS)
    app, runs = FastAPI(), []
    gate = protect(app)

    @app.post("/orders")
    @policy(idempotent=True, claims="dynamodb")
    async def order():
        runs.append(1)

    handler = lambda_handler(app)
    event = rest_event("POST", "/orders", headers={"idempotency-key": "one"})
    reply = handler(event, LambdaContext())
    assert reply["statusCode"] == 500
    assert "TIDEGATE" not in reply["body"]
    assert "TIDEGATE_TABLE" in log.text
    assert not runs
    gate.close()


def test_a_server_process_does_not_stay_up(tmp_path):
    with pytest.raises(RuntimeError, match="TIDEGATE_REDIS_URL"):  # noqa: SIM117  the server never enters
        with UvicornServer("tests.http.till:app", tmp_path / "log"):
            pass


def test_a_server_process_serves_from_memory_when_told_so(tmp_path):
    with UvicornServer("tests.http.till:app", tmp_path / "log", TIDEGATE_STORE="memory") as server:
        answer = httpx.get(f"{server.url}/products", timeout=10)
    assert (answer.status_code, answer.headers["ratelimit-policy"]) == (200, '"10000/s";q=10000;w=1')
