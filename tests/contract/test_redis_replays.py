"""What Redis says of an idempotency key inside the one question: limits and claim are decided together."""

import pytest

from tests.contract.conftest import Rig
from tests.contract.workers import request
from tidegate.limits.token_bucket import Bucket
from tidegate.messages import (
    Charge,
    ClaimRequest,
    Completed,
    Granted,
    InProgress,
    Mismatch,
    Question,
    Settlement,
    Unknown,
)

RUNS_ON = ["redis", "redis-cluster", "valkey"]

SINGLE = Charge("one", Bucket(3_600_000_000, burst=1))


def asked_by(name: str, *, in_redis: bool, fingerprint: str = "print") -> ClaimRequest:
    return request("key", name)._replace(in_redis=in_redis, fingerprint=fingerprint)


def ask(rig, key: str, claim: ClaimRequest):
    return rig.store.admit(Question(key, (SINGLE,), claim))


def settle(rig, key: str, claim: ClaimRequest, record: bytes | None = b"answer") -> bool:
    return rig.store.settle(Settlement(key, claim, record, fenced=claim.in_redis))


@pytest.mark.parametrize("in_redis", [True, False])
def test_a_replay_is_charged_nothing_and_refused_by_no_limit(rig, key, in_redis):
    first = asked_by("first", in_redis=in_redis)
    assert ask(rig, key, first).admitted
    assert settle(rig, key, first)
    for _ in range(3):
        answer = ask(rig, key, asked_by("second", in_redis=in_redis))
        assert (answer.admitted, answer.claim) == (True, Completed(b"answer"))
        assert (answer.limits[0].allowed, answer.limits[0].remaining) == (False, 0)


@pytest.mark.parametrize("in_redis", [True, False])
def test_a_replay_takes_nothing_of_what_is_left(rig: Rig, key: str, in_redis: bool) -> None:
    wide, first = Charge("wide", Bucket(3_600_000_000, burst=5)), asked_by("first", in_redis=in_redis)
    rig.store.admit(Question(key, (wide,), first))
    assert settle(rig, key, first)
    for name in ("first", "second", "third"):
        answer = rig.store.admit(Question(key, (wide,), asked_by(name, in_redis=in_redis)))
        assert (answer.claim, answer.limits[0].remaining) == (Completed(b"answer"), 4)


def test_a_request_that_a_limit_refuses_claims_nothing(rig, key):
    rig.store.admit(Question(key, (SINGLE,)))
    refused = ask(rig, key, asked_by("first", in_redis=True))
    assert (refused.admitted, refused.claim) == (False, Unknown())
    other = rig.store.admit(Question(key, (), asked_by("second", in_redis=True)))
    assert other.claim == Granted()


def test_what_is_in_progress_or_a_mismatch_is_charged_nothing(rig, key):
    wide = Charge("wide", Bucket(3_600_000_000, burst=5))
    claims = [
        asked_by("first", in_redis=True),
        asked_by("second", in_redis=True),
        asked_by("third", in_redis=True, fingerprint="other"),
    ]
    answers = [rig.store.admit(Question(key, (wide,), claim)) for claim in claims]
    assert [type(answer.claim) for answer in answers] == [Granted, InProgress, Mismatch]
    assert [answer.limits[0].remaining for answer in answers] == [4, 4, 4]


def test_redis_claims_nothing_where_another_store_keeps_the_claims(rig, key):
    wide = Charge("wide", Bucket(3_600_000_000, burst=5))
    for name in ("first", "second"):
        answer = rig.store.admit(Question(key, (wide,), asked_by(name, in_redis=False)))
        assert (answer.admitted, answer.claim) == (True, Unknown())


def test_a_copy_of_an_answer_replays_to_the_same_payload_only(rig, key):
    assert settle(rig, key, asked_by("first", in_redis=False))
    assert ask(rig, key, asked_by("second", in_redis=False)).claim == Completed(b"answer")
    other = asked_by("third", in_redis=False, fingerprint="other")
    assert ask(rig, key, other).claim == Mismatch()


def test_one_callers_key_isnt_anothers(rig, key, new_subject):
    settle(rig, key, asked_by("first", in_redis=False))
    assert ask(rig, new_subject(), asked_by("second", in_redis=False)).claim == Unknown()


def test_what_was_done_under_a_claim_that_redis_lost_still_counts(rig, key):
    claim = asked_by("first", in_redis=True)
    assert settle(rig, key, claim)
    assert ask(rig, key, asked_by("second", in_redis=True)).claim == Completed(b"answer")
