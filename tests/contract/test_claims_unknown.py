"""Claims that aren't taken over when their holder falls silent, the same in every store."""

import pytest

from tests.contract.test_claims import HOLD_MS, attempt
from tidegate.messages import Completed, Granted, InProgress, Mismatch, OutcomeUnknown


def asking(key, name="second", **told):
    return attempt(key, name, **told)._replace(holds_unknown=True)


@pytest.fixture
def silent(clocked, claims, key):
    """A claim whose holder has said nothing for as long as it holds."""
    assert claims.claim(asking(key, "first")) == Granted()
    clocked.advance_us(HOLD_MS * 1000)
    return claims


def test_it_stands_beyond_its_deadline(clocked, silent, key):
    for _ in range(2):
        assert silent.claim(asking(key)) == OutcomeUnknown("first")
        assert silent.claim(asking(key, "third")) == OutcomeUnknown("first")
        clocked.advance_us(HOLD_MS * 1000)


def test_until_then_its_holder_is_waited_for(clocked, claims, key):
    claims.claim(asking(key, "first"))
    clocked.advance_us((HOLD_MS - 1) * 1000)
    assert claims.claim(asking(key)) == InProgress(1)


def test_it_tells_the_recovery_points(clocked, claims, key):
    claims.claim(asking(key, "first"))
    claims.renew(asking(key, "first"), b'{"a":\n1}')
    clocked.advance_us(HOLD_MS * 1000)
    assert claims.claim(asking(key)) == OutcomeUnknown("first", b'{"a":\n1}')


def test_its_holder_may_ask_again_and_end(silent, key):
    assert silent.claim(asking(key, "first")) == Granted()
    assert silent.claim(asking(key)) == InProgress(HOLD_MS)
    assert silent.complete(asking(key, "first"), b"answer")
    assert silent.claim(asking(key)) == Completed(b"answer")


def test_a_response_in_the_silent_holders_place(silent, key):
    assert silent.complete(asking(key, "first"), b"found")
    assert silent.claim(asking(key)) == Completed(b"found")


def test_released_in_the_silent_holders_place_it_is_free(silent, key):
    assert silent.release(asking(key, "first"))
    assert silent.claim(asking(key)) == Granted()


def test_with_points_it_is_continued_then(clocked, claims, key):
    claims.claim(asking(key, "first"))
    claims.renew(asking(key, "first"), b"{}")
    clocked.advance_us(HOLD_MS * 1000)
    assert claims.release(asking(key, "first"))
    assert claims.claim(asking(key)) == Granted(b"{}")
    clocked.advance_us(HOLD_MS * 1000)
    assert claims.claim(asking(key, "third")) == OutcomeUnknown("second", b"{}")


def test_a_claim_given_up_with_points_is_not_unknown(claims, key):
    claims.claim(asking(key, "first"))
    claims.renew(asking(key, "first"), b"{}")
    assert claims.release(asking(key, "first"))
    assert claims.claim(asking(key)) == Granted(b"{}")


def test_another_payload_is_a_mismatch_still(silent, key):
    assert silent.claim(asking(key, fingerprint="other")) == Mismatch()


def test_who_does_not_ask_for_it_takes_over(silent, key):
    assert silent.claim(attempt(key, "second")) == Granted()


def test_its_key_is_free_again_after_its_lifetime(clocked, claims, key):
    claims.claim(asking(key, "first", lifetime_ms=40_000))
    if clocked.place.in_redis:
        pytest.skip("expiry is the server's own clock's")
    clocked.advance_us(42_000_000)
    assert claims.claim(asking(key)) == Granted()
