"""Scripts that the server doesn't know: it was flushed, restarted, or never asked."""

import pytest
import redis as driver

from tests.contract.workers import request
from tidegate.algorithms.token_bucket import Bucket
from tidegate.question import Charge, Question, Settlement
from tidegate.stores import redis_scripts as module

RUNS_ON = ["redis", "redis-cluster", "valkey"]

QUESTION = Question("subject", (Charge("a", Bucket(60_000_000, 10)),))
SETTLEMENT = Settlement("subject", request("claim", "first"), b"answer", fenced=False)


@pytest.fixture
def server(place):
    with driver.Redis.from_url(place.address) as client:
        yield client


def test_a_flushed_script_cache_goes_unnoticed_and_charges_once(rig, server):
    for remaining in (9, 8, 7):
        server.script_flush()
        answer = rig.store.admit(QUESTION)
        assert (answer.admitted, answer.limits[0].remaining) == (True, remaining)
        assert rig.store.settle(SETTLEMENT)


def test_a_script_carries_what_its_question_asks_of_and_no_more():
    plain = module.admit_script(frozenset("b"), claim=False, copy=False).source
    whole = module.admit_script(frozenset("bdwqc"), claim=True, copy=True).source
    for of_others in ("decide.d", "decide.w", "decide.q", "decide.c", "local function claim", "local function look_up"):
        assert of_others not in plain
        assert of_others in whole


def test_scripts_are_known_by_their_digest_after_the_first_time(rig, server):
    rig.store.admit(QUESTION)
    rig.store.settle(SETTLEMENT)
    admit = module.admit_script(frozenset("b"), claim=False, copy=False)
    known = server.script_exists(admit.sha, module.HEARTBEAT.sha, module.SETTLE.sha)
    assert known == [True, True, True]
