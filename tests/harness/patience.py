"""How long DynamoDB may take in tests that aren't about that.

The engine is one process beside the tests, and on a busy machine it may be silent for longer than the library waits:
half a second for a decision, 2.8 s for a claim. A test that is about those bounds has the marker `in_time`.
"""

from __future__ import annotations

import pytest

from tidegate import compose_dynamodb
from tidegate.idempotency.bounded_claims import BoundedClaims
from tidegate.stores.dynamodb.client import DynamoTimeouts


def be_patient(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have environments that are made in this process wait for DynamoDB, unless the test is about that."""
    if request.node.get_closest_marker("in_time") is not None:
        return
    monkeypatch.setattr(compose_dynamodb, "_PATIENCE", DynamoTimeouts(3.0, 8.0))
    monkeypatch.setattr(compose_dynamodb, "_CLAIM_PATIENCE", DynamoTimeouts(3.0, 8.0, attempts=2))
    monkeypatch.setattr(BoundedClaims.__init__, "__defaults__", (20.0,))
