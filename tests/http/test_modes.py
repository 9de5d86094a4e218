"""The modes: memory, Redis alone, Redis with DynamoDB. Each says what it is, and claims go where it can keep them."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

import pytest
from fastapi import FastAPI, Request

from tests.harness.ports import free_port
from tidegate import Quota, Settings, policy, protect, telemetry

KEY = {"idempotency-key": "8e03978e-40d5-43e8-bc93-6894a57f9324"}
DAILY = 8


def shop(claims=None):
    app = FastAPI(title="Shop")

    @app.get("/products")
    @policy(limits=[Quota(f"{DAILY}/day")])
    async def products():
        return []

    @app.post("/orders")
    @policy(idempotent=True, claims=claims)
    async def order():
        return "ordered"

    return app


@pytest.fixture
def settings(request, stores, memory):
    return {
        "memory": memory,
        "redis": stores.settings(table=None),
        "dynamodb": stores.settings(redis_url=None),
        "redis+dynamodb": stores.settings(),
    }[request.param]


@pytest.mark.parametrize("settings", ["memory", "redis", "dynamodb", "redis+dynamodb"], indirect=True)
def test_a_policy_that_says_nothing_of_claims_has_them_where_they_can_be(run, settings, redis_db, stores):
    api = run(shop(), settings)
    assert api.post("/orders", key="alice", headers=KEY).status_code == 200
    assert api.post("/orders", key="alice", headers=KEY).headers["idempotent-replayed"] == "true"
    in_table = [item for item in stores.dynamo.items(stores.table) if item["pk"]["S"].startswith("claim#")]
    assert len(in_table) == (settings.table is not None)
    assert bool(redis_db.keys("tidegate:*:i:*")) == (settings.redis_url is not None)


@pytest.mark.parametrize("claims", ["redis", "dynamodb"])
def test_a_handler_is_told_of_the_table_only_if_its_claim_lies_there(run, stores, claims):
    app = FastAPI()

    @app.post("/orders")
    @policy(idempotent=True, claims=claims)
    async def order(request: Request):
        return request.state.tidegate.claim.table

    answer = run(app, stores.settings()).post("/orders", key="alice", headers=KEY)
    assert answer.json() == (stores.table if claims == "dynamodb" else None)


@pytest.mark.parametrize("claims", ["redis", "dynamodb", None])
def test_memory_keeps_claims_whatever_a_policy_says(run, memory, claims):
    api = run(shop(claims), memory)
    assert api.post("/orders", key="alice", headers=KEY).status_code == 200
    assert api.post("/orders", key="alice", headers=KEY).headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize("settings", ["memory", "redis", "dynamodb", "redis+dynamodb"], indirect=True)
def test_health_says_the_mode(settings):
    gate = protect(FastAPI(title="Shop"), settings=settings)
    said = asyncio.run(gate.health())
    gate.close()
    assert said.mode == settings.mode


class TestAtStart:
    """Lines are Python's logging here."""

    @pytest.fixture(autouse=True)
    def standard(self, monkeypatch):
        monkeypatch.setenv(telemetry.VARIABLE, "logging")
        telemetry.destination.cache_clear()
        yield
        monkeypatch.undo()
        telemetry.destination.cache_clear()

    @pytest.fixture
    def said(self, caplog, serve):
        return partial(self.started, caplog, serve)

    def started(self, caplog, serve, app, settings):
        caplog.set_level(logging.INFO, "tidegate")
        serve(app, settings).get("/products")
        return [(each.levelname, each.getMessage()) for each in caplog.records if each.name == "tidegate"]

    def test_memory_is_said_loudly(self, said, memory):
        [(level, text)] = said(shop(), memory)
        assert level == "WARNING"
        assert "this process's alone" in text
        assert "TIDEGATE_REDIS_URL" in text

    def test_claims_in_redis_by_default_are_said_with_what_they_lack(self, said, stores):
        found = dict(said(shop(), stores.settings(table=None)))
        assert "mode=redis" in found["INFO"]
        assert "runs again" in found["WARNING"]
        assert "/orders" in found["WARNING"]

    def test_claims_in_redis_by_choice_are_not(self, said, stores):
        assert [level for level, _ in said(shop("redis"), stores.settings(table=None))] == ["INFO"]

    def test_both_stores_are_a_plain_line(self, said, stores):
        assert [level for level, _ in said(shop(), stores.settings())] == ["INFO"]


@pytest.mark.parametrize("fleet", [1, 4])
def test_a_redis_that_is_down_from_the_start_enforces_shares(run, fleet):
    nowhere = f"redis://127.0.0.1:{free_port()}"
    settings = Settings(redis_url=nowhere, namespace="shop", fleet_size=fleet, trust_api_key_header=True)
    api = run(shop(), settings)
    statuses = [api.get("/products", key="alice").status_code for _ in range(DAILY + 1)]
    assert statuses == [200] * (DAILY // fleet) + [429] * (DAILY + 1 - DAILY // fleet)
    assert api.post("/orders", key="alice", headers=KEY).status_code == 503
