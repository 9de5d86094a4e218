"""The limits' algorithms as pure functions: what each promises, whatever is asked of it and when."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.decision import NEVER, Known
from tidegate.limits.concurrency import Slots
from tidegate.limits.leaky_bucket import Drain
from tidegate.limits.quota import period_at
from tidegate.limits.sliding_window import Window
from tidegate.limits.sliding_window_counter import WindowCounter
from tidegate.limits.token_bucket import Bucket

NOW_US = 1_800_000_000_000_000
NOTHING = Known()

gaps = st.lists(st.tuples(st.integers(0, 3_000_000), st.integers(1, 4)), max_size=40)
rules = (
    st.builds(Bucket, st.integers(1, 1_000_000), st.integers(1, 10))
    | st.builds(Drain, st.integers(1, 1_000_000), st.integers(0, 1_000_000))
    | st.builds(Window, st.integers(1, 5_000), st.integers(1, 20))
    | st.builds(WindowCounter, st.integers(1, 5_000), st.integers(1, 20))
    | st.builds(lambda quota: period_at(NOW_US, "day", UTC, quota), st.integers(1, 20))
)


def run(rule, asked):
    """Ask one after the other; yield (time, cost, decision)."""
    state, now = None, NOW_US
    for gap_us, cost in asked:
        now += gap_us
        decision = rule.decide(state, now, cost, NOTHING)
        if decision.allowed:
            state = decision.kept
        yield now, cost, decision


@given(rules, gaps)
def test_a_retry_that_waits_as_told_is_admitted_and_not_before(rule, asked):
    state = None
    for now, cost, decision in run(rule, asked):
        if decision.allowed:
            state = decision.kept
        elif decision.uncharged.retry_after_us != NEVER and rule.kind != "q":
            at = now + decision.uncharged.retry_after_us
            assert rule.decide(state, at, cost, NOTHING).allowed
            # A window's counters go by whole milliseconds.
            early = at - 1 - (1000 if rule.kind == "w" else 0)
            assert early < now or not rule.decide(state, early, cost, NOTHING).allowed


@given(rules, gaps)
def test_what_is_left_can_be_spent_and_not_more(rule, asked):
    state = None
    for now, _, decision in run(rule, asked):
        left = (decision.charged if decision.allowed else decision.uncharged).remaining
        state = decision.kept if decision.allowed else state
        assert left == 0 or rule.decide(state, now, left, NOTHING).allowed
        assert not rule.decide(state, now, left + 1, NOTHING).allowed


@given(rules, gaps, st.integers(-5, 5))
def test_a_correction_is_as_if_the_cost_had_been_known(rule, asked, units):
    *_, (now, cost, last) = [*run(rule, asked), (NOW_US, 0, None)][-2:] if asked else [(NOW_US, 0, None)]
    if last is None or not last.allowed or cost + units < 0:
        return
    before = rule.corrected(last.kept, now, -cost, NOTHING)
    if rule.decide(before, now, cost + units, NOTHING).allowed:
        assert rule.corrected(last.kept, now, units, NOTHING) == rule.decide(before, now, cost + units, NOTHING).kept


@given(st.integers(1, 1_000_000), st.integers(0, 1_000_000), gaps)
def test_a_leaky_bucket_starts_requests_at_its_pace_within_a_longest_wait(interval_us, max_wait_us, asked):
    starts = []
    for now, cost, decision in run(Drain(interval_us, max_wait_us), asked):
        if decision.allowed:
            assert decision.charged.wait_us <= max_wait_us
            starts.append((now + decision.charged.wait_us, cost))
    for (start, cost), (following, _) in pairwise(starts):
        assert following - start >= cost * interval_us


@given(st.integers(1, 5_000), st.integers(1, 20), gaps)
def test_no_aligned_window_of_counters_holds_more_than_its_quota(window_ms, quota, asked):
    counted: dict[int, int] = {}
    for now, cost, decision in run(WindowCounter(window_ms, quota), asked):
        if decision.allowed:
            index = now // 1000 // window_ms
            counted[index] = counted.get(index, 0) + cost
    assert all(count <= quota for count in counted.values())


@given(st.integers(1, 30))
@pytest.mark.parametrize("kind", [Window, WindowCounter])
def test_a_sliding_window_admits_no_second_quota_at_the_windows_edge(kind, quota):
    rule, state = kind(1000, quota), None
    edge = (NOW_US // 1_000_000 + 1) * 1_000_000
    decision = rule.decide(state, edge - 1000, quota, NOTHING)
    assert decision.allowed
    assert not rule.decide(decision.kept, edge, 1, NOTHING).allowed


@pytest.mark.parametrize(
    ("zone", "calendar", "at", "start", "hours"),
    [
        ("UTC", "day", "2027-01-15T08:00:00+00:00", "2027-01-15T00:00:00+00:00", 24),
        ("Europe/Zurich", "day", "2027-03-28T12:00:00+02:00", "2027-03-28T00:00:00+01:00", 23),
        ("Europe/Zurich", "day", "2027-10-31T12:00:00+01:00", "2027-10-31T00:00:00+02:00", 25),
        ("Europe/Zurich", "month", "2027-03-31T23:59:59+02:00", "2027-03-01T00:00:00+01:00", 743),
        ("America/New_York", "month", "2027-01-01T04:59:59+00:00", "2026-12-01T00:00:00-05:00", 744),
        ("Asia/Tokyo", "day", "2027-01-14T15:00:00+00:00", "2027-01-15T00:00:00+09:00", 24),
    ],
)
def test_a_period_is_the_calendars_in_the_zone(zone, calendar, at, start, hours):
    moment = int(datetime.fromisoformat(at).timestamp()) * 1_000_000
    period = period_at(moment, calendar, ZoneInfo(zone), 10)
    assert period.start_us == int(datetime.fromisoformat(start).timestamp()) * 1_000_000
    assert period.end_us - period.start_us == hours * 3_600_000_000
    assert period.start_us <= moment < period.end_us


def test_a_quota_begins_anew_with_its_period_and_not_before():
    today = period_at(NOW_US, "day", UTC, 10)
    spent = today.decide(None, NOW_US, 10, NOTHING)
    refused = today.decide(spent.kept, NOW_US, 1, NOTHING)
    assert (refused.allowed, NOW_US + refused.uncharged.retry_after_us) == (False, today.end_us)
    tomorrow = period_at(today.end_us, "day", UTC, 10)
    assert tomorrow.decide(spent.kept, today.end_us, 10, NOTHING).allowed
    assert today.decide(None, NOW_US, 11, NOTHING).uncharged.retry_after_us == NEVER


def test_a_clock_that_is_behind_does_not_open_yesterdays_quota_again():
    today = period_at(NOW_US, "day", UTC, 10)
    tomorrow = period_at(today.end_us, "day", UTC, 10)
    begun = tomorrow.decide(None, today.end_us, 10, NOTHING)
    assert not today.decide(begun.kept, today.end_us - 1, 1, NOTHING).allowed


@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["take", "free", "wait"])), max_size=60),
)
def test_slots_are_held_by_no_more_than_there_are(slots, steps):
    rule, state, now, held = Slots(slots, 10_000_000), None, NOW_US, {}
    for holder, what in steps:
        held = {h: end for h, end in held.items() if end > now}
        if what == "take":
            decision = rule.decide(state, now, 1, Known(holder=holder))
            assert decision.allowed == (len(held.keys() - {holder}) < slots)
            if decision.allowed:
                state, held[holder] = decision.kept, now + 10_000_000
                assert decision.charged.remaining == slots - len(held)
            else:
                assert now + decision.uncharged.retry_after_us == min(held.values())
        elif what == "free":
            state = rule.corrected(state, now, -1, Known(holder=holder))
            held.pop(holder, None)
        else:
            now += 4_000_000


def test_the_sliding_window_counters_guess_is_near_the_log():
    """Against a log of every request, at a steady rate of twice the quota: neither starves nor overshoots by much."""
    rule, state, log, admitted = WindowCounter(1000, 100), None, deque(), 0
    for step in range(2000):
        now = NOW_US + step * 5_000
        decision = rule.decide(state, now, 1, NOTHING)
        while log and log[0] <= now - 1_000_000:
            log.popleft()
        if decision.allowed:
            state = decision.kept
            log.append(now)
            admitted += 1
        assert len(log) <= 101
    assert 950 <= admitted <= 1100
