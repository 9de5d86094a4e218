"""`tidegate.testing`: what the tests of a user's own application can do with its gate."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tidegate import Cache, ConfigurationError, Settings, TokenBucket, policy, protect
from tidegate.testing import Charged, GateInTest

KEY = {"idempotency-key": "order-1"}


def shop(settings=None):
    app = FastAPI(title="Shop")
    protect(app, settings=settings, identify=lambda scope: dict(scope["headers"]).get(b"user", b"ann").decode())
    app.state.runs = []

    @app.get("/rates")
    @policy(limits=[TokenBucket("1/min", burst=2), TokenBucket("100/day", burst=100, name="daily", cost=3)])
    async def rates():
        return {"EUR": 0.93}

    @app.post("/orders")
    @policy(idempotent=True, lifetime="1h")
    async def order():
        app.state.runs.append("order")
        return len(app.state.runs)

    @app.get("/strict")
    @policy(limits=[TokenBucket("1/min")], on_outage="reject")
    async def strict():
        return "ok"

    @app.get("/catalogue")
    @policy(cache=Cache("10s"))
    async def catalogue():
        app.state.runs.append("catalogue")
        return len(app.state.runs)

    return app


@pytest.fixture
def app():
    return shop(Settings(redis_url="redis://192.0.2.1:6379", table="nowhere", namespace="shop", region="eu-west-1"))


@pytest.fixture
def gate(app, tidegate_gate):
    return tidegate_gate(app)


@pytest.fixture
def client(app, gate):
    return TestClient(app)


def statuses(client, path, times):
    return [client.get(path).status_code for _ in range(times)]


def test_no_store_is_asked_and_the_clock_stands(client, gate):
    assert statuses(client, "/rates", 3) == [200, 200, 429]
    gate.clock.advance(59)
    assert statuses(client, "/rates", 1) == [429]
    gate.clock.advance(1)
    assert statuses(client, "/rates", 2) == [200, 429]


def test_what_was_charged_is_told(client, gate):
    client.get("/rates", headers={"user": "bob"})
    assert gate.charged == [Charged("1/min", "bob", 1), Charged("daily", "bob", 3)]
    statuses(client, "/rates", 3)
    assert [line.outcome for line in gate.requests] == ["admitted"] * 3 + ["limited"]
    assert len(gate.charged) == 6


def test_protection_can_be_switched_off(client, gate):
    with gate.off():
        assert statuses(client, "/rates", 10) == [200] * 10
        assert client.post("/orders").status_code == 400, "a key is part of the API"
    assert statuses(client, "/rates", 3) == [200, 200, 429]


def test_all_is_forgotten_by_a_reset(client, gate, app):
    statuses(client, "/rates", 3)
    client.post("/orders", headers=KEY)
    gate.reset()
    assert (gate.requests, gate.charged) == ([], [])
    assert statuses(client, "/rates", 2) == [200, 200]
    assert client.post("/orders", headers=KEY).json() == 2


def test_a_keys_answer_lives_by_the_clock(client, gate):
    assert [client.post("/orders", headers=KEY).json() for _ in range(2)] == [1, 1]
    gate.clock.advance(3601)
    assert client.post("/orders", headers=KEY).json() == 2


def test_a_copy_lives_by_the_clock(client, gate):
    assert [client.get("/catalogue").json() for _ in range(2)] == [1, 1]
    gate.clock.advance(11)
    assert client.get("/catalogue").json() == 2


@pytest.mark.parametrize("kind", ["timeout", "refused", "throttled"])
def test_stores_can_fail(client, gate, app, kind):
    with gate.failing(kind):
        assert statuses(client, "/rates", 3) == [200, 200, 429], "by this process's own memory"
        assert client.get("/strict").status_code == 503
        assert client.post("/orders", headers=KEY).status_code == 503
        assert app.state.runs == []
    assert client.post("/orders", headers=KEY).status_code == 200
    assert client.get("/strict").status_code == 200


def test_an_async_client_is_served_too(app, gate):
    async def asked():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return [(await client.get("/rates")).status_code for _ in range(3)]

    assert asyncio.run(asked()) == [200, 200, 429]


def test_the_application_has_its_own_stores_again_afterwards():
    app = shop(Settings(memory_only=True))
    client = TestClient(app)
    assert statuses(client, "/rates", 1) == [200]
    with GateInTest(app):
        assert statuses(client, "/rates", 2) == [200, 200]
    assert statuses(client, "/rates", 2) == [200, 429]


def test_no_setting_is_needed_in_a_test(monkeypatch):
    for name in ("TIDEGATE_REDIS_URL", "TIDEGATE_TABLE", "TIDEGATE_STORE"):
        monkeypatch.delenv(name, raising=False)
    app = shop()
    with GateInTest(app):
        assert statuses(TestClient(app), "/rates", 3) == [200, 200, 429]


def test_an_unprotected_application_is_refused():
    with pytest.raises(ConfigurationError, match=r"call protect\(app\) before"):
        GateInTest(FastAPI())
