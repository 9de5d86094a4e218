"""Claims under clocks that differ: none is taken over before its holder's time is up by its own clock."""

from contextlib import ExitStack

import pytest

from tests.contract.places import close
from tests.contract.test_claims import attempt
from tidegate.idempotency.renewal import HOLD_ON_SERVER_MS, SKEW_MARGIN_MS, hold_ms
from tidegate.messages import Granted, InProgress
from tidegate.testing import FakeClock

RUNS_ON = ["redis", "valkey", "redis-cluster", "dynamodb"]
TRUTH_US = 1_800_000_000_000_000


@pytest.fixture
def claims(place):
    """`claims(off_s)`: an environment's claim store and its clock, which is off by so many seconds."""
    with ExitStack() as closing:

        def open_claims(off_s: float):
            clock = FakeClock(TRUTH_US + int(off_s * 1_000_000))
            made = place.open_claims(clock)
            closing.callback(close, made)
            return made, clock

        yield open_claims


@pytest.mark.parametrize(("holder_s", "heir_s"), [(-5, 5), (5, -5), (0, 5), (-5, 0), (5, 5)])
def test_a_live_holder_is_not_taken_over_by_a_clock_within_the_margin(claims, new_subject, holder_s, heir_s):
    key, (mine, own_clock), (others, other_clock) = new_subject(), claims(holder_s), claims(heir_s)
    held = attempt(key, "holder", hold_ms=hold_ms(None))
    assert mine.claim(held) == Granted()
    for clock in (own_clock, other_clock):
        clock.advance(HOLD_ON_SERVER_MS / 1000 - 0.001)
    assert isinstance(others.claim(attempt(key, "heir")), InProgress)
    assert mine.renew(held), "and by then it has renewed it"
    for clock in (own_clock, other_clock):
        clock.advance(HOLD_ON_SERVER_MS / 1000 - 0.001)
    assert isinstance(others.claim(attempt(key, "heir")), InProgress)
    assert mine.complete(held, b"answer")


def test_what_was_given_up_is_free_by_any_clock(claims, new_subject):
    key, (mine, _), (others, _) = new_subject(), claims(3600), claims(-3600)
    held = attempt(key, "holder", hold_ms=hold_ms(None))
    mine.claim(held)
    mine.renew(held, b"one")
    mine.release(held)
    assert others.claim(attempt(key, "heir")) == Granted(b"one")


def test_the_margin_is_what_two_clocks_may_differ_by():
    assert SKEW_MARGIN_MS >= 2 * 5_000
