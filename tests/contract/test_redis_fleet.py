"""Heartbeats: who is alive is counted in the decisions' own round trips."""

import pytest

from tests.contract.places import close
from tidegate.limits.token_bucket import Bucket
from tidegate.messages import Charge, Question
from tidegate.stores.fleet_secret import FleetSecret
from tidegate.stores.redis.store import GONE_AFTER_S, HEARTBEAT_EVERY_S, RedisStore, heartbeat_in_s
from tidegate.testing import FakeClock

RUNS_ON = ["redis", "redis-cluster", "valkey"]

FLEET = "tidegate:{fleet:contract}"
QUESTION = Question("subject", (Charge("a", Bucket(60_000_000, 10)),))


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


def test_an_environment_that_is_silent_for_long_is_gone(rig, place_db):
    now_s = place_db.time()[0]
    place_db.zadd(FLEET, {"silent": now_s - GONE_AFTER_S - 1, "quiet": now_s - GONE_AFTER_S + 5})
    assert rig.store.admit(QUESTION).fleet.environments == 2
    assert place_db.zscore(FLEET, "silent") is None


def test_places_are_by_name_and_all_different(rig):
    stores = [rig.store, *(rig.another() for _ in range(4))]
    for store in stores:
        store.admit(QUESTION)
    ranks = []
    for store in stores:
        store._next_heartbeat = 0.0
        ranks.append(store.admit(QUESTION).fleet.rank)
    assert sorted(ranks) == [0, 1, 2, 3, 4]
    assert sorted(stores, key=lambda store: store._environment_id) == [stores[ranks.index(i)] for i in range(5)]


def test_environments_of_the_release_before_have_places_too(rig, place_db):
    """They know only the set by time, and take whom they find silent out of that alone."""
    rig.store.admit(QUESTION)
    now_s = place_db.time()[0]
    place_db.zadd(FLEET, {"0": now_s, "00": now_s})
    place_db.zadd(f"{FLEET}:places", {"gone": 0})
    rig.store._next_heartbeat = 0.0
    fleet = rig.store.admit(QUESTION).fleet
    assert (fleet.environments, fleet.rank) == (3, 2)
    assert place_db.zcard(f"{FLEET}:places") == 3


def test_a_whole_fleet_that_has_gone_is_taken_out_at_once(rig, place_db):
    long_ago = place_db.time()[0] - GONE_AFTER_S - 1
    rig.store.admit(QUESTION)
    place_db.zadd(FLEET, {f"gone-{i}": long_ago for i in range(2500)})
    place_db.zadd(f"{FLEET}:places", {f"gone-{i}": 0 for i in range(2500)})
    rig.store._next_heartbeat = 0.0
    assert rig.store.admit(QUESTION).fleet == (1, 0)
    assert place_db.zcard(f"{FLEET}:places") == 1


@pytest.mark.parametrize("environments", [1, 1250])
def test_a_fleet_of_thousands_beats_every_few_seconds(environments):
    assert heartbeat_in_s(environments) == HEARTBEAT_EVERY_S


def test_each_of_a_larger_fleet_beats_less_often_and_at_another_time():
    waits = [heartbeat_in_s(10_000) for _ in range(200)]
    assert 20 <= min(waits) < 30
    assert 50 < max(waits) <= 60


def test_the_fleet_agrees_on_one_secret_and_keeps_it(place, place_db):
    clock = FakeClock()
    secrets = [FleetSecret() for _ in range(3)]
    offered = [secret.value for secret in secrets]
    target = place.target()
    stores = [RedisStore(target, "contract", str(i), clock, secret=each) for i, each in enumerate(secrets)]
    for store in stores:
        store.admit(QUESTION)
    place_db.flushall()  # what Redis forgets, the environments know
    clock.advance(HEARTBEAT_EVERY_S)
    for store in reversed(stores):
        store.admit(QUESTION)
        close(store)
    assert {secret.value for secret in secrets} == {offered[0]}


def test_a_configured_secret_is_not_asked_of_redis(place, place_db):
    secrets = [FleetSecret("hush") for _ in range(2)]
    store = RedisStore(
        place.target(),
        "contract",
        "0",
        FakeClock(),
        secret=secrets[0],
    )
    store.admit(QUESTION)
    close(store)
    assert secrets[0].value == secrets[1].value != FleetSecret("hush!").value
    assert not place_db.exists(f"{FLEET}:secret")


@pytest.mark.parametrize("kind", ["text", "list"])
def test_what_lies_in_the_fleets_keys_keeps_no_decision_from_redis(rig, place_db, kind):
    """Every decision carries a heartbeat till one is heard: all of them would have to go elsewhere."""
    for key in (FLEET, f"{FLEET}:clock", f"{FLEET}:places", f"{FLEET}:secret"):
        place_db.set(key, "no such thing") if kind == "text" else place_db.rpush(key, "no such thing")
    assert rig.store.admit(QUESTION).fleet.environments == 1
    assert rig.another().admit(QUESTION).fleet.environments == 2
