"""The pace of writes: exact at any rate, whoever is killed and whenever, and however the clocks are set."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.migrate.journal import Reserved
from functions.migrate.pacing import Pace, allowed
from tests.contract.migrations import TurnedClock

RATES = st.floats(0.001, 1000)


@given(RATES, st.lists(st.tuples(st.integers(1, 20), st.booleans(), st.floats(0, 100)), max_size=8))
def test_two_writes_are_never_closer_than_the_rate_wants(rate, runners):
    """Each runner reserves some writes, makes all of them or is killed after the first, and the next one follows."""
    clock, known, at = TurnedClock(), Reserved(), []
    for writes, killed, idle_s in runners:
        pace = Pace(clock, rate, known)
        known = pace.reserve(writes)
        for _ in range(1 if killed else writes):
            pace.turn()
            at.append(clock.now_s)
        if not killed:
            known = pace.last
        clock.sleep(idle_s)
    assert all(later - earlier >= 1 / rate * (1 - 1e-6) - 1e-6 for earlier, later in pairwise(at))


@given(RATES, st.integers(1, 50))
def test_writes_are_no_slower_than_the_rate_allows(rate, count):
    clock = TurnedClock()
    began, pace = clock.now_s, Pace(clock, rate, Reserved())
    for _ in range(count):
        pace.turn()
    assert clock.now_s - began == pytest.approx((count - 1) / rate, rel=1e-6, abs=1e-6)


@given(RATES, st.floats(0, 50), st.integers(0, 5))
def test_as_many_may_begin_as_turns_come_in_time(rate, within_s, already):
    clock = TurnedClock()
    pace = Pace(clock, rate, Reserved())
    for _ in range(already):
        pace.turn()
    until_s, fit = clock.now_s + within_s, pace.startable(within_s)
    for _ in range(min(fit, 100)):
        pace.turn()
        assert clock.now_s <= until_s + 1e-6
    if fit < 100:
        pace.turn()
        assert clock.now_s >= until_s - 1e-6


@given(st.floats(-1e9, 1e9), st.integers(0, 100), RATES)
def test_a_clock_that_was_set_holds_up_no_more_than_is_owed(set_s, writes, rate):
    clock = TurnedClock()
    pace = Pace(clock, rate, Reserved(clock.now_s + set_s, writes))
    assert 0 <= pace.wait_s <= writes / rate + 1e-6


@pytest.mark.parametrize("rate", [0, -1, math.nan, math.inf, 5e-324])
def test_a_pace_of_nothing_or_without_end_is_none(rate):
    assert not allowed(rate)
    with pytest.raises(ValueError, match="it must be a finite number above 0"):
        Pace(TurnedClock(), rate, Reserved())
