"""The first claim of an environment whose clock is minutes off: no answer has told it DynamoDB's time before."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.contract.places import Place, close
from tests.contract.test_claims import attempt
from tidegate.clock import SystemClock
from tidegate.idempotency.dynamodb import DynamoClaims
from tidegate.messages import Completed, Granted, InProgress
from tidegate.stores.dynamodb.clock import ReferenceClock

RUNS_ON = ["dynamodb"]
MINUTES_S = 180.0


class Off(SystemClock):
    def __init__(self, off_s: float) -> None:
        self._off_us = int(off_s * 1_000_000)

    def wall_us(self) -> int:
        return super().wall_us() + self._off_us


Cold = Callable[[float], DynamoClaims]


@pytest.fixture
def cold(place: Place) -> Iterator[Cold]:
    """`cold(off_s)`: the claims of an environment that has asked nothing yet, and whose clock is off."""
    with ExitStack() as closing:

        def open_claims(off_s: float) -> DynamoClaims:
            clock = ReferenceClock(Off(off_s))
            claims = DynamoClaims(place.dynamo_client(clock), place.table, clock)
            closing.callback(close, claims)
            return claims

        yield open_claims


@pytest.mark.parametrize(("holder_s", "heir_s"), [(0.0, MINUTES_S), (-MINUTES_S, 0.0), (-MINUTES_S, MINUTES_S)])
def test_a_clock_that_is_minutes_off_takes_no_live_claim_over(cold, new_subject, holder_s, heir_s):
    key, mine, others = new_subject(), cold(holder_s), cold(heir_s)
    held = attempt(key, "holder")
    assert mine.claim(held) == Granted()
    assert [type(others.claim(attempt(key, "heir"))) for _ in range(2)] == [InProgress, InProgress]
    assert mine.complete(held, b"answer")


@pytest.mark.parametrize("off_s", [-MINUTES_S, MINUTES_S])
def test_an_answer_is_replayed_to_a_cold_clock_until_it_expires(cold, new_subject, off_s):
    key, mine = new_subject(), cold(0.0)
    brief = attempt(key, "holder", lifetime_ms=60_000)
    mine.claim(brief)
    mine.complete(brief, b"answer")
    assert cold(off_s).claim(attempt(key, "heir")) == Completed(b"answer")


def test_what_has_expired_is_claimed_by_a_cold_clock(cold, new_subject):
    key, mine = new_subject(), cold(0.0)
    brief = attempt(key, "holder", hold_ms=-5000, lifetime_ms=-5000)
    mine.claim(brief)
    mine.complete(brief, b"answer")
    assert cold(-2.0).claim(attempt(key, "heir")) == Granted()


def test_a_clock_that_is_minutes_ahead_holds_no_claim_for_longer(cold, new_subject):
    key, mine, others = new_subject(), cold(MINUTES_S), cold(0.0)
    mine.claim(attempt(key, "holder"))
    told = others.claim(attempt(key, "heir"))
    assert isinstance(told, InProgress)
    assert told.retry_after_ms <= attempt(key).hold_ms + 2000
