"""Heartbeats: who is alive is counted in the decisions' own round trips."""

import pytest
import redis as driver

from tests.contract.places import close
from tidegate.algorithms.token_bucket import Bucket
from tidegate.question import Charge, Question
from tidegate.stores.redis import GONE_AFTER_S, HEARTBEAT_EVERY_S
from tidegate.testing import FakeClock

RUNS_ON = ["redis", "redis-cluster", "valkey"]

FLEET = "tidegate:{fleet:contract}"
QUESTION = Question("subject", (Charge("a", Bucket(60_000_000, 10)),))


@pytest.fixture
def stored(place):
    with driver.Redis.from_url(place.address) as client:
        yield client


def test_the_first_decision_of_each_environment_counts_all_of_them(rig):
    assert [rig.another().admit(QUESTION).fleet.environments for _ in range(3)] == [1, 2, 3]


def test_a_heartbeat_rides_along_every_few_seconds_only(place):
    clock = FakeClock()
    store = place.open(clock)
    counted = []
    for _ in range(2 * HEARTBEAT_EVERY_S + 1):
        counted.append(store.admit(QUESTION).fleet)
        clock.advance(1)
    close(store)
    assert [second for second, fleet in enumerate(counted) if fleet] == [0, 5, 10]


def test_an_environment_that_is_silent_for_long_is_gone(rig, stored):
    now_s = stored.time()[0]
    stored.zadd(FLEET, {"silent": now_s - GONE_AFTER_S - 1, "quiet": now_s - GONE_AFTER_S + 5})
    assert rig.store.admit(QUESTION).fleet.environments == 2
    assert stored.zscore(FLEET, "silent") is None


def test_a_failed_heartbeat_is_sent_again_with_the_next_decision(rig, stored):
    stored.set(FLEET, "no sorted set")
    with pytest.raises(Exception, match="protocol"):
        rig.store.admit(QUESTION)
    stored.delete(FLEET)
    assert rig.store.admit(QUESTION).fleet.environments == 1
