"""What replays may cost: a bucket of bytes for each principal, and never more than a bounded memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.idempotency import replay_budget
from tidegate.idempotency.replay_budget import BURST_S, LEAST_BYTES, ReplayBudget
from tidegate.testing import FakeClock

RATE = 1_000_000


@pytest.fixture
def budget(clock):
    return ReplayBudget(clock, RATE)


def told(budget, size, subject="ann"):
    """How many replays of that size are told in a row."""
    count = 0
    while budget.take(subject, size) is None:
        count += 1
    return count


def test_four_seconds_worth_is_told_at_once_and_then_the_rate(budget, clock):
    assert told(budget, 100_000) == pytest.approx(BURST_S * RATE / 100_000, abs=1)
    clock.advance(1)
    assert told(budget, 100_000) == pytest.approx(10, abs=1)


def test_a_small_answer_costs_what_asking_costs(budget):
    assert told(budget, 0) == pytest.approx(BURST_S * RATE / LEAST_BYTES, abs=1)


def test_a_refusal_says_when_and_takes_nothing(budget, clock):
    told(budget, 400_000)
    for _ in range(100):
        refusal = budget.take("ann", 400_000)
    assert (refusal.status, refusal.extensions["violated-policies"]) == (429, ["replays"])
    wait_s = int(dict(refusal.headers)[b"retry-after"])
    clock.advance(wait_s)
    assert budget.refusal("ann") is None


def test_one_principal_s_budget_is_nobody_else_s(budget):
    told(budget, 400_000)
    assert budget.refusal("ann")
    assert budget.refusal("bob") is None
    assert budget.take("bob", 400_000) is None


def test_without_a_rate_there_is_no_bound(clock):
    unbound = ReplayBudget(clock, 0)
    assert all(unbound.take("ann", 400_000) is None for _ in range(10_000))


def test_what_is_remembered_is_bounded(budget, monkeypatch):
    monkeypatch.setattr(replay_budget, "_REMEMBERED", 10)
    for number in range(100):
        budget.take(str(number), 0)
    assert len(budget._full_at_s) == 10


@given(st.lists(st.tuples(st.integers(0, 400_000), st.floats(0, 3)), max_size=80))
def test_over_any_time_no_more_is_told_than_burst_and_rate_and_one(asked):
    clock = FakeClock()
    budget, began_s, told_bytes = ReplayBudget(clock, RATE), clock.monotonic(), 0
    for size, pause_s in asked:
        clock.advance(pause_s)
        if budget.take("ann", size) is None:
            told_bytes += max(size, LEAST_BYTES)
    most = (BURST_S + clock.monotonic() - began_s) * RATE + 400_000
    assert told_bytes <= most + 1
