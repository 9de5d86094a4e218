"""The fallback as it is composed, before a store is asked."""

from __future__ import annotations

import pytest

from tests.harness.inline_background import InlineBackground
from tidegate.errors import StoreUnavailableError
from tidegate.failover.fallback import FallbackPlace, fallback
from tidegate.messages import Fleet
from tidegate.stores.dynamodb.client import DynamoClient, DynamoTimeouts
from tidegate.stores.dynamodb.clock import ReferenceClock
from tidegate.stores.dynamodb.fleet import FleetTable
from tidegate.stores.fleet import FleetView
from tidegate.stores.redis.outage import OutageTimer
from tidegate.testing import FakeClock


def test_warming_makes_the_client_before_a_decision_needs_it(clock: FakeClock) -> None:
    client = DynamoClient(DynamoTimeouts(1, 1), endpoint_url="http://127.0.0.1:9", region="eu-central-1")
    place = FallbackPlace(FleetTable(client, "table", "unit"), 0.1, clock, clock, shadow_share=0.0)
    parts = fallback(place, OutageTimer(clock), FleetView(clock, Fleet()), InlineBackground())
    assert client._client is None
    parts.warm()
    assert client._client is not None
    client.close()


def test_warming_sets_the_reference_clock_too(clock: FakeClock) -> None:
    """Nobody listens there, so the read that would set it fails."""
    client = DynamoClient(DynamoTimeouts(1, 1), endpoint_url="http://127.0.0.1:9", region="eu-central-1")
    place = FallbackPlace(FleetTable(client, "table", "unit"), 0.1, ReferenceClock(clock), clock, shadow_share=0.0)
    parts = fallback(place, OutageTimer(clock), FleetView(clock, Fleet()), InlineBackground())
    with pytest.raises(StoreUnavailableError):
        parts.warm()
    client.close()
