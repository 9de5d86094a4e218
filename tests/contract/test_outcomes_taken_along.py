"""Outcomes ride along with decisions to Redis, whatever becomes of them there."""

import contextlib
from collections.abc import Iterator

import pytest
import redis as driver

from tests.contract.places import Place, close_client
from tidegate.clock import SystemClock
from tidegate.limits.token_bucket import Bucket
from tidegate.messages import Charge, Question
from tidegate.outcomes.in_redis import KEPT_S, TallyRider, minute_key
from tidegate.outcomes.tally import Tally
from tidegate.redis_driver.hash_slots import slot_of_key
from tidegate.redis_driver.node import RedisTarget
from tidegate.stores.redis.store import RedisStore

RUNS_ON = ["redis", "redis-cluster", "redis-sharded"]


@pytest.fixture
def store(place: Place, tally: Tally) -> Iterator[RedisStore]:
    target = place.target()
    with contextlib.closing(RedisStore(target, "default", "one", SystemClock(), [TallyRider(tally)])) as made:
        yield made


@pytest.fixture
def looking(place: Place) -> Iterator[driver.Redis]:
    made = driver.RedisCluster if place.kind == "redis-sharded" else driver.Redis
    client = made.from_url(place.own_url)
    yield client
    close_client(client)


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


@pytest.mark.parametrize("fault", ["kill", "stop"])
def test_a_node_that_only_counts_hurts_no_decision(sharded_cluster, tally, fault):
    master = sharded_cluster.master_of(slot_of_key(minute_key(tally.source, 0).encode()))
    names = (f"s{i}" for i in range(99))
    elsewhere = next(
        name for name in names if sharded_cluster.master_of(slot_of_key(b"tidegate:{%s}" % name.encode())) is not master
    )
    target = RedisTarget(sharded_cluster.url, 1.0, 1.0, cluster=True)
    question = Question(elsewhere, (Charge("limit", Bucket(3_600_000_000, 10)),))
    with contextlib.closing(RedisStore(target, "default", "one", SystemClock(), [TallyRider(tally)])) as store:
        store._next_heartbeat = float("inf")  # which may be due at the same node
        tally.ended(200, 0.01)
        store.admit(question)  # connects
        tally.ended(200, 0.01)
        tally._next = 0.0
        getattr(master, fault)()
        assert store.admit(question).admitted
        assert tally.first("redis").number == 2
        assert store.admit(question).limits[0].remaining == 7, "each was charged once"
        if fault == "kill":
            sharded_cluster.wait_for_failover(master)
            for _ in range(2):  # the first finds the old master gone
                tally._next = 0.0
                store.admit(question)
            assert tally.first("redis") is None
