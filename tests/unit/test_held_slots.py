"""Slots that running requests hold, when their environment ends: each is freed, and no other."""

from __future__ import annotations

import pytest

from tidegate import Settings
from tidegate.compose import compose
from tidegate.environment import Environment
from tidegate.limits.concurrency import Slots
from tidegate.limits.slots import free_all, kept
from tidegate.messages import Charge, Question

pytestmark = pytest.mark.anyio
TAKEN = Charge("slots", Slots(1, 60_000_000), holder="first")
HELD = (TAKEN._replace(cost=0),)


def is_free(environment: Environment) -> bool:
    return environment.stores.admit(Question("alice", (TAKEN._replace(holder="second"),))).admitted


@pytest.fixture
def environment() -> Environment:
    """Alice's only slot is taken."""
    environment = compose(Settings(memory_only=True))
    assert environment.stores.admit(Question("alice", (TAKEN,))).admitted
    return environment


async def test_a_slot_of_a_request_that_runs_is_freed(environment):
    async with kept(HELD, "alice", environment):
        free_all(environment)
        assert is_free(environment)


async def test_a_slot_of_a_request_that_has_ended_is_left_to_its_settlement(environment):
    async with kept(HELD, "alice", environment):
        assert not is_free(environment)
    free_all(environment)
    assert not is_free(environment)
