"""Scripts that the server doesn't know: it was flushed, restarted, or never asked."""

from tests.contract.workers import request
from tidegate.limits.token_bucket import Bucket
from tidegate.messages import Charge, Question, Settlement
from tidegate.stores.redis import scripts as module

RUNS_ON = ["redis", "redis-cluster", "valkey"]

QUESTION = Question("subject", (Charge("a", Bucket(60_000_000, 10)),))
SETTLEMENT = Settlement("subject", request("claim", "first"), b"answer", fenced=False)


def test_a_flushed_script_cache_goes_unnoticed_and_charges_once(rig, place_db):
    for remaining in (9, 8, 7):
        place_db.script_flush()
        answer = rig.store.admit(QUESTION)
        assert (answer.admitted, answer.limits[0].remaining) == (True, remaining)
        assert rig.store.settle(SETTLEMENT)


def test_a_script_carries_what_its_question_asks_of_and_no_more():
    plain = module.admit_script(frozenset("b"), claim=False, copy=False).source
    whole = module.admit_script(frozenset("bdwqc"), claim=True, copy=True).source
    for of_others in ("decide.d", "decide.w", "decide.q", "decide.c", "local function claim", "local function look_up"):
        assert of_others not in plain
        assert of_others in whole


def test_scripts_are_known_by_their_digest_after_the_first_time(rig, place_db):
    rig.store.admit(QUESTION)
    rig.store.settle(SETTLEMENT)
    admit = module.admit_script(frozenset("b"), claim=False, copy=False)
    known = place_db.script_exists(admit.sha, module.HEARTBEAT.sha, module.SETTLE.sha)
    assert known == [True, True, True]
