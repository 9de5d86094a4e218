"""The memory store's short way: what a rule decides quickly is what it decides."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.decision import Known
from tidegate.limits.quota import Period
from tidegate.limits.sliding_window_counter import WindowCounter
from tidegate.limits.token_bucket import Bucket
from tidegate.messages import Charge, Question
from tidegate.stores.memory import MemoryStore
from tidegate.testing import FakeClock

NOW = 1_700_000_000_000_000
DAY = 86_400_000_000
START = NOW - NOW % DAY
few = st.integers(0, 12)
near = st.integers(-3_000_000, 3_000_000)


def same(rule, state, now_us, cost, debt_us=0):
    decision = rule.decide(state, now_us, cost, Known(debt_us))
    limit, kept, until_us = rule.decide_quickly(state, now_us, cost, debt_us)
    assert limit == decision.state(charged=True)
    assert limit.allowed == decision.allowed
    if limit.allowed:
        assert kept == decision.kept
        # The moment of forgetting may only be put off to a moment at which the state equals none.
        assert until_us == now_us + rule.kept_for_us(kept, now_us)
    else:
        assert (kept, until_us) == (state, 0)


@given(near, few, st.integers(0, 4_000_000), st.integers(1, 1_000_000), st.integers(1, 10))
def test_a_bucket(ahead, cost, debt_us, interval_us, burst):
    same(Bucket(interval_us, burst), (NOW + ahead,), NOW, cost, debt_us)


@given(st.builds(WindowCounter, st.integers(1, 3_000), st.integers(1, 10)), st.integers(-3, 3), few, few, few)
def test_a_window_counter(rule, behind, current, previous, cost):
    for later_ms in (0, 1, 700, 2_999, 5_000):
        same(rule, (NOW // 1000 // rule.window_ms - behind, current, previous), NOW + later_ms * 1000, cost)


@given(few, few, st.integers(0, 3 * DAY), st.integers(-2, 2), st.integers(1, 10))
def test_a_period(used, cost, later_us, other_days, quota):
    state = (START + other_days * DAY, used, START + (other_days + 1) * DAY)
    same(Period(START, START + DAY, quota), state, START + later_us, cost)


@pytest.mark.parametrize("rule", [Bucket(1_000_000, 3), WindowCounter(10_000, 3), Period(START, START + DAY, 3)])
@pytest.mark.parametrize("shadow", [False, True])
def test_the_store_answers_by_either_way_alike(rule, shadow):
    """A second charge of another limit makes a question go the long way."""
    clock, other = FakeClock(), Charge("other", Bucket(1, 1_000_000))
    quick, long = MemoryStore(clock), MemoryStore(clock)
    charge = Charge("limit", rule, 1, shadow=shadow)
    for _ in range(8):
        short = quick.admit(Question("alice", (charge,)))
        whole = long.admit(Question("alice", (charge, other)))
        assert (short.admitted, short.limits[0]) == (whole.admitted, whole.limits[0])
        clock.advance(0.4)
