"""Outcomes ride along with decisions to Redis, whatever becomes of them there."""

import contextlib
from collections.abc import Iterator

import pytest
import redis as driver

from tests.contract.places import Place
from tidegate.clock import SystemClock
from tidegate.outcomes.in_redis import KEPT_S, minute_key
from tidegate.outcomes.tally import Source, Tally
from tidegate.question import Question
from tidegate.stores.connection import RedisTarget
from tidegate.stores.redis import RedisStore

RUNS_ON = ["redis", "redis-cluster", "redis-sharded"]


@pytest.fixture
def tally(new_subject):
    return Tally(Source("default", new_subject(), "7"), SystemClock())


@pytest.fixture
def store(place: Place, tally: Tally) -> Iterator[RedisStore]:
    target = RedisTarget(place.address, place.timeout_s, place.timeout_s, cluster="-" in place.kind)
    with contextlib.closing(RedisStore(target, "default", "one", SystemClock(), tally=tally)) as made:
        yield made


@pytest.fixture
def looking(place: Place) -> Iterator[driver.Redis]:
    made = driver.RedisCluster if place.kind == "redis-sharded" else driver.Redis
    with contextlib.closing(made.from_url(place.address)) as client:
        yield client


def test_they_are_counted_with_the_next_decision_and_once(store, tally, looking):
    tally.ended(200, 0.01)
    batch = tally.first("redis")
    for _ in range(3):
        assert store.admit(Question("somebody")).admitted
    assert tally.first("redis") is None
    key = minute_key(tally.source, batch.minute)
    assert looking.hget(key, "cr") == b"1"
    assert 0 < looking.ttl(key) <= KEPT_S


def test_what_redis_does_not_take_hurts_no_decision_and_stays(store, tally, looking):
    tally.ended(200, 0.01)
    batch = tally.first("redis")
    looking.set(minute_key(tally.source, batch.minute), "something else")
    assert store.admit(Question("somebody")).admitted
    assert tally.first("redis") is batch
