"""A holder that lives: its renewals, its recovery points, and what an heir is told of them; the same in every store."""

from tests.contract.test_claims import HOLD_MS, attempt
from tidegate.messages import Completed, Granted, InProgress, Mismatch


def test_a_renewed_claim_stands_for_its_hold_from_then_on(clocked, claims, key):
    claims.claim(attempt(key))
    clocked.advance_us((HOLD_MS - 1000) * 1000)
    assert claims.renew(attempt(key))
    assert claims.claim(attempt(key, "second")) == InProgress(HOLD_MS)
    clocked.advance_us((HOLD_MS - 1) * 1000)
    assert claims.claim(attempt(key, "second")) == InProgress(1)
    clocked.advance_us(1000)
    assert claims.claim(attempt(key, "second")) == Granted()


def test_a_claim_is_renewed_after_its_deadline_if_nobody_took_it_over(clocked, claims, key):
    claims.claim(attempt(key))
    clocked.advance_us(2 * HOLD_MS * 1000)
    assert claims.renew(attempt(key))
    assert claims.claim(attempt(key, "second")) == InProgress(HOLD_MS)


def test_what_was_taken_over_cannot_be_renewed(clocked, claims, key):
    claims.claim(attempt(key, "zombie"))
    clocked.advance_us(HOLD_MS * 1000)
    claims.claim(attempt(key, "heir"))
    clocked.advance_us(1_000_000)
    assert not claims.renew(attempt(key, "zombie"))
    assert not claims.renew(attempt(key, "zombie"), b"the zombie's")
    assert claims.claim(attempt(key, "third")) == InProgress(HOLD_MS - 1000)
    clocked.advance_us(HOLD_MS * 1000)
    assert claims.claim(attempt(key, "third")) == Granted()


def test_what_is_completed_cannot_be_renewed(claims, key):
    claims.claim(attempt(key))
    claims.complete(attempt(key), b"answer")
    assert not claims.renew(attempt(key))
    assert not claims.renew(attempt(key), b"points")
    assert claims.claim(attempt(key, "second")) == Completed(b"answer")


def test_a_renewal_outlasts_a_short_lifetime(clocked, key):
    """A handler may run for longer than its answer is kept."""
    short = {"hold_ms": 3000, "lifetime_ms": 1000}
    clocked.claims.claim(attempt(key, **short))
    for _ in range(4):
        clocked.pass_ms(2000)
        assert clocked.claims.renew(attempt(key, **short))
    assert isinstance(clocked.claims.claim(attempt(key, "second", **short)), InProgress)


def test_a_renewal_may_be_repeated(claims, key):
    claims.claim(attempt(key))
    assert [claims.renew(attempt(key), b"points") for _ in range(3)] == [True] * 3


def test_an_heir_is_told_the_recovery_points(clocked, claims, key):
    claims.claim(attempt(key))
    assert claims.renew(attempt(key), b"one")
    assert claims.renew(attempt(key), b"one, two")
    assert claims.renew(attempt(key)), "a renewal without points keeps those that there are"
    clocked.advance_us(HOLD_MS * 1000)
    for heir in ("heir", "its heir"):
        granted = clocked.another_claims().claim(attempt(key, heir))
        assert (granted, granted.taken_over) == (Granted(b"one, two"), True)
        clocked.advance_us(HOLD_MS * 1000)


def test_who_asks_again_is_told_its_own_recovery_points(claims, key):
    claims.claim(attempt(key))
    claims.renew(attempt(key), b"one")
    again = claims.claim(attempt(key))
    assert (again, again.taken_over) == (Granted(b"one"), False)


def test_a_zombie_adds_no_recovery_point(clocked, claims, key):
    claims.claim(attempt(key, "zombie"))
    claims.renew(attempt(key, "zombie"), b"before")
    clocked.advance_us(HOLD_MS * 1000)
    claims.claim(attempt(key, "heir"))
    assert not claims.renew(attempt(key, "zombie"), b"after")
    clocked.advance_us(HOLD_MS * 1000)
    assert claims.claim(attempt(key, "third")) == Granted(b"before")


def test_a_released_claim_with_recovery_points_is_continued_at_once(claims, key):
    claims.claim(attempt(key))
    claims.renew(attempt(key), b"one")
    assert claims.release(attempt(key))
    other = attempt(key, "second", fingerprint="other")
    assert claims.claim(other) == Mismatch(), "part of what the first payload asked for is done"
    assert claims.claim(attempt(key, "second")) == Granted(b"one")
    assert claims.claim(attempt(key, "third")) == InProgress(HOLD_MS)


def test_who_released_a_claim_with_recovery_points_holds_it_no_longer(claims, key):
    claims.claim(attempt(key))
    claims.renew(attempt(key), b"one")
    claims.release(attempt(key))
    assert not claims.renew(attempt(key))
    assert not claims.complete(attempt(key), b"answer")
    assert claims.claim(attempt(key, "second")) == Granted(b"one")


def test_recovery_points_end_with_the_answer(clocked, key):
    clocked.claims.claim(attempt(key, lifetime_ms=5000, hold_ms=1000))
    clocked.claims.renew(attempt(key, lifetime_ms=5000, hold_ms=1000), b"one")
    clocked.claims.complete(attempt(key, lifetime_ms=5000), b"answer")
    clocked.pass_ms(7000)
    assert clocked.claims.claim(attempt(key, "second")) == Granted()


def test_recovery_points_that_nobody_continues_end_with_the_claim(clocked, key):
    clocked.claims.claim(attempt(key, lifetime_ms=5000, hold_ms=1000))
    clocked.claims.renew(attempt(key, lifetime_ms=5000, hold_ms=1000), b"one")
    clocked.pass_ms(7000)
    assert clocked.claims.claim(attempt(key, "second", fingerprint="other")) == Granted()


def test_only_a_renewal_in_redis_brings_a_lost_claim_back(rig, key):
    """Nobody took it over: it was lost with the server's data. Elsewhere a claim that isn't there was given up."""
    back = rig.claims.renew(attempt(key), b"one")
    assert back == rig.place.in_redis
    held = rig.claims.claim(attempt(key, "second"))
    assert isinstance(held, InProgress) if back else held == Granted()
