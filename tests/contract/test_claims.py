"""Idempotency claims, the same in every store: one live attempt at a time, one answer for good."""

import os

import pytest

from tests.contract.workers import request
from tidegate.messages import ClaimRequest, Completed, Granted, InProgress, Mismatch

HOLD_MS, LIFETIME_MS = 30_000, 3_600_000


def attempt(key: str, name: str = "first", *, fingerprint: str = "print", **times: int) -> ClaimRequest:
    times = {"hold_ms": HOLD_MS, "lifetime_ms": LIFETIME_MS} | times
    return request(key, name, **times)._replace(fingerprint=fingerprint)


def test_a_free_key_is_granted(claims, key):
    assert claims.claim(attempt(key)) == Granted()


def test_another_attempt_waits_as_long_as_the_claim_stands(clocked, claims, key):
    claims.claim(attempt(key))
    assert claims.claim(attempt(key, "second")) == InProgress(HOLD_MS)
    clocked.advance_us(1_000_000)
    assert claims.claim(attempt(key, "second")) == InProgress(HOLD_MS - 1000)


def test_the_same_attempt_may_ask_again(claims, key):
    assert [claims.claim(attempt(key)) for _ in range(3)] == [Granted()] * 3
    assert claims.complete(attempt(key), b"answer")


def test_asking_again_holds_the_claim_anew(clocked, claims, key):
    claims.claim(attempt(key))
    clocked.advance_us(HOLD_MS * 1000 // 2)
    claims.claim(attempt(key))
    assert claims.claim(attempt(key, "second")) == InProgress(HOLD_MS)


def test_keys_are_claimed_apart(claims, key):
    assert claims.claim(attempt(key)) == Granted()
    assert claims.claim(attempt(key + "2", "second")) == Granted()


def test_a_completed_claim_replays_to_every_attempt(claims, key):
    claims.claim(attempt(key))
    assert claims.complete(attempt(key), b"answer")
    assert [claims.claim(attempt(key, name)) for name in ("first", "second", "third")] == [Completed(b"answer")] * 3


def test_another_environment_sees_the_same_claims(clocked, claims, key):
    claims.claim(attempt(key))
    other = clocked.another_claims()
    assert other.claim(attempt(key, "second")) == InProgress(HOLD_MS)
    claims.complete(attempt(key), b"answer")
    assert other.claim(attempt(key, "second")) == Completed(b"answer")


def test_another_payload_under_a_key_is_a_mismatch_in_its_run_and_after(clocked, claims, key):
    other = attempt(key, "second", fingerprint="other")
    claims.claim(attempt(key))
    assert claims.claim(other) == Mismatch()
    clocked.advance_us((HOLD_MS + 1000) * 1000)
    assert claims.claim(other) == Mismatch()
    claims.complete(attempt(key), b"answer")
    assert claims.claim(other) == Mismatch()
    assert claims.claim(attempt(key, "third")) == Completed(b"answer")


def test_a_claim_is_taken_over_at_its_deadline_and_not_before(clocked, claims, key):
    claims.claim(attempt(key))
    clocked.advance_us(HOLD_MS * 1000 - 1000)
    assert claims.claim(attempt(key, "early")) == InProgress(1)
    clocked.advance_us(1000)
    assert claims.claim(attempt(key, "heir")) == Granted()


def test_it_is_taken_over_once(clocked, claims, key):
    claims.claim(attempt(key))
    clocked.advance_us(HOLD_MS * 1000)
    assert claims.claim(attempt(key, "heir")) == Granted()
    assert claims.claim(attempt(key, "late")) == InProgress(HOLD_MS)
    assert claims.claim(attempt(key)) == InProgress(HOLD_MS)


def test_a_zombie_can_neither_complete_nor_release_what_was_taken_over(clocked, claims, key):
    claims.claim(attempt(key, "zombie"))
    clocked.advance_us(HOLD_MS * 1000)
    claims.claim(attempt(key, "heir"))
    assert not claims.complete(attempt(key, "zombie"), b"the zombie's")
    assert not claims.release(attempt(key, "zombie"))
    assert claims.claim(attempt(key, "third")) == InProgress(HOLD_MS)
    assert claims.complete(attempt(key, "heir"), b"the heir's")
    assert not claims.complete(attempt(key, "zombie"), b"the zombie's")
    assert not claims.release(attempt(key, "zombie"))
    assert claims.claim(attempt(key, "third")) == Completed(b"the heir's")


def test_a_late_holder_that_nobody_succeeded_still_completes(clocked, claims, key):
    claims.claim(attempt(key))
    clocked.advance_us(2 * HOLD_MS * 1000)
    assert claims.complete(attempt(key), b"answer")
    assert claims.claim(attempt(key, "second")) == Completed(b"answer")


def test_a_stranger_can_neither_complete_nor_release(claims, key):
    claims.claim(attempt(key))
    assert not claims.complete(attempt(key, "stranger"), b"answer")
    assert not claims.release(attempt(key, "stranger"))
    assert claims.claim(attempt(key, "second")) == InProgress(HOLD_MS)


def test_a_released_claim_is_free_for_any_payload(claims, key):
    claims.claim(attempt(key))
    assert claims.release(attempt(key))
    assert claims.claim(attempt(key, "second", fingerprint="other")) == Granted()


def test_who_released_it_can_do_nothing_to_its_successor(claims, key):
    claims.claim(attempt(key))
    claims.release(attempt(key))
    claims.claim(attempt(key, "second"))
    assert not claims.complete(attempt(key), b"answer")
    assert not claims.release(attempt(key))
    assert claims.complete(attempt(key, "second"), b"answer")


def test_what_is_completed_can_no_longer_be_released(claims, key):
    claims.claim(attempt(key))
    claims.complete(attempt(key), b"answer")
    claims.release(attempt(key))
    assert claims.claim(attempt(key, "second")) == Completed(b"answer")


def test_an_acknowledgement_that_was_lost_can_be_asked_for_again(claims, key):
    claims.claim(attempt(key))
    assert [claims.complete(attempt(key), b"answer") for _ in range(2)] == [True, True]


@pytest.mark.parametrize("record", [b"", b"\x00\xff\n\r\n", os.urandom(350_000)], ids=["empty", "binary", "large"])
def test_a_record_is_kept_byte_for_byte(claims, key, record):
    claims.claim(attempt(key))
    claims.complete(attempt(key), record)
    assert claims.claim(attempt(key, "second")) == Completed(record)
    assert claims.recall(attempt(key, "second")) == Completed(record)


def test_recalling_finds_an_answer_and_claims_nothing(clocked, claims, key):
    assert claims.recall(attempt(key)) is None
    assert claims.claim(attempt(key)) == Granted()
    assert claims.recall(attempt(key, "second")) is None
    clocked.advance_us(2 * HOLD_MS * 1000)
    assert claims.recall(attempt(key, "second")) is None
    assert claims.complete(attempt(key), b"answer")
    assert claims.recall(attempt(key, "second")) == Completed(b"answer")
    assert claims.recall(attempt(key, "second", fingerprint="other")) is None


def test_an_answer_is_forgotten_after_its_lifetime(clocked, key):
    clocked.claims.claim(attempt(key, lifetime_ms=5000, hold_ms=1000))
    clocked.claims.complete(attempt(key, lifetime_ms=5000), b"answer")
    clocked.pass_ms(4900)
    assert clocked.claims.claim(attempt(key, "second")) == Completed(b"answer")
    clocked.pass_ms(2100)
    assert clocked.claims.recall(attempt(key, "second")) is None
    assert clocked.claims.claim(attempt(key, "second", fingerprint="other")) == Granted()


def test_a_lifetime_begins_with_the_answer(clocked, key):
    clocked.claims.claim(attempt(key, lifetime_ms=5000, hold_ms=5000))
    clocked.pass_ms(4000)
    clocked.claims.complete(attempt(key, lifetime_ms=5000), b"answer")
    clocked.pass_ms(4000)
    assert clocked.claims.claim(attempt(key, "second")) == Completed(b"answer")


def test_a_claim_lasts_until_its_deadline_even_if_its_answer_lives_less(clocked, key):
    clocked.claims.claim(attempt(key, hold_ms=60_000, lifetime_ms=1000))
    clocked.pass_ms(30_000)
    assert isinstance(clocked.claims.claim(attempt(key, "second")), InProgress)
    assert clocked.claims.complete(attempt(key, lifetime_ms=1000), b"answer")
