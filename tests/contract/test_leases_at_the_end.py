"""Tokens that an environment has leased from DynamoDB are given back when it closes."""

from __future__ import annotations

import pytest

from tidegate import Settings
from tidegate.compose_dynamodb import PrimaryStoreInfo, dynamo_components
from tidegate.limits.token_bucket import Bucket
from tidegate.messages import Charge, Fleet, Question
from tidegate.stores.fleet import FleetView
from tidegate.stores.redis.outage import OutageTimer
from tidegate.testing import FakeClock

RUNS_ON = ["dynamodb"]

HOT = Question("subject", (Charge("limit", Bucket(interval_us=1_000, burst=1_000)),))


@pytest.fixture
def parts(place, monkeypatch):
    """What an environment has of the table, which has lost Redis."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", place.address)
    clock = FakeClock()
    away = OutageTimer(clock)
    away.failed()
    settings = Settings(table=place.table, region="us-east-1", decision_budget_ms=10_000, shadow_share=0)
    made = dynamo_components(settings, place.table, clock, PrimaryStoreInfo(away, FleetView(clock, Fleet())))
    yield made, clock
    made.close()


def test_what_was_leased_and_not_spent_is_given_back(parts, place, dynamo):
    made, clock = parts
    leases = made.handle.store

    def left() -> int:
        return sum(lease.left for lease in leases._leases.values())

    def charged() -> int:
        [item] = [item for item in dynamo.items(place.table) if item["pk"]["S"] == "fallback#subject"]
        return int(item["limit"]["N"])

    for asked in range(1000):
        clock.advance(0.01)
        made.handle.ask(lambda store: store.admit(HOT))
        if asked > 500 and left():
            break
    assert left()
    before = charged()
    made.close()
    assert left() == 0
    assert charged() < before
