"""Decisions to the microsecond, where a boundary is one number: a leaky bucket's, a token bucket's and a window's."""

from __future__ import annotations

import pytest

from tidegate.decision import LONGEST_DEBT_US, MOST_UNITS, NEVER, Decision, Known, LimitState
from tidegate.limits.leaky_bucket import Drain
from tidegate.limits.sliding_window import MOST_PARTS, PARTS, TICKS, Window
from tidegate.limits.sliding_window_counter import WindowCounter
from tidegate.limits.token_bucket import Bucket, moved, start_of_debt, take, tokens

NOW_US = 1_800_000_000_000_000
NOTHING = Known()
DRAIN, BUCKET = Drain(1000, 2000), Bucket(1000, 3)


def drained(wait_us: int, cost: int) -> Decision:
    return DRAIN.decide((NOW_US + wait_us,), NOW_US, cost, NOTHING)


@pytest.mark.parametrize(
    ("wait_us", "cost", "left", "left_after"),
    [
        (0, 1, 3, 2),
        (0, 0, 3, 3),
        (2000, 1, 1, 0),
        (2000, 0, 1, 1),
        (0, 3, 3, 0),
        (1, 1, 2, 1),
        (1000, 2, 2, 0),
        (-50, 1, 3, 2),
    ],
)
def test_a_leaky_bucket_reserves_the_next_start(wait_us, cost, left, left_after):
    wait, decision = max(0, wait_us), drained(wait_us, cost)
    after = wait + cost * 1000
    assert decision.kept == (NOW_US + after,)
    assert decision.charged == LimitState(True, left_after, 0, debt_us=after, wait_us=wait)
    assert decision.uncharged == LimitState(True, left, 0, debt_us=wait, wait_us=wait)


@pytest.mark.parametrize(
    ("wait_us", "cost", "left", "retry_us"),
    [(2001, 1, 0, 1), (2001, 0, 0, 1), (1, 3, 2, 1), (1000, 3, 2, 1000), (0, 4, 3, NEVER), (9000, 1, 0, 7000)],
)
def test_a_leaky_bucket_refuses_what_would_start_too_late(wait_us, cost, left, retry_us):
    decision = drained(wait_us, cost)
    refused = LimitState(False, left, retry_us, debt_us=wait_us, wait_us=0)
    assert decision == Decision(False, (NOW_US + wait_us,), refused, refused)


def test_a_leaky_buckets_room_ends_with_its_longest_wait():
    assert [DRAIN.room(us) for us in (0, 1, 1000, 2000, 2001)] == [3, 2, 2, 1, 0]
    assert [DRAIN.latest_us(cost) for cost in (0, 1, 2, 3)] == [2000, 2000, 1000, 0]
    assert (DRAIN.most, DRAIN.numbers) == (3, (1000, 2000))
    assert Drain(1000, 0).most == Drain(1000, 999).most == 1


@pytest.mark.parametrize(
    ("debt_us", "cost", "left", "left_after"),
    [(0, 1, 3, 2), (0, 3, 3, 0), (1, 2, 2, 0), (2000, 1, 1, 0), (3000, 0, 0, 0)],
)
def test_a_token_bucket_admits_up_to_its_depth(debt_us, cost, left, left_after):
    decision = BUCKET.decide((NOW_US + debt_us,), NOW_US, cost, NOTHING)
    after = debt_us + cost * 1000
    assert decision.kept == (NOW_US + after,)
    assert decision.charged == LimitState(True, left_after, 0, debt_us=after)
    assert decision.uncharged == LimitState(True, left, 0, debt_us=debt_us)


@pytest.mark.parametrize(
    ("debt_us", "cost", "left", "retry_us"),
    [(1, 3, 2, 1), (2001, 1, 0, 1), (3000, 1, 0, 1000), (0, 4, 3, NEVER), (5000, 0, 0, 2000), (2000, 3, 1, 2000)],
)
def test_a_token_bucket_says_when_the_same_would_fit(debt_us, cost, left, retry_us):
    decision = BUCKET.decide((NOW_US + debt_us,), NOW_US, cost, NOTHING)
    refused = LimitState(False, left, retry_us, debt_us=debt_us)
    assert decision == Decision(False, (NOW_US + debt_us,), refused, refused)
    quick, kept, until_us = BUCKET.decide_quickly((NOW_US + debt_us,), NOW_US, cost, 0)
    assert (quick, kept, until_us) == (refused, (NOW_US + debt_us,), 0)


def test_a_request_costs_one_token_and_owes_nothing_unless_it_says_so():
    assert take(None, NOW_US, BUCKET) == (True, NOW_US + 1000, 2, 0)
    assert start_of_debt(None, NOW_US) == start_of_debt(NOW_US - 5, NOW_US) == NOW_US
    assert start_of_debt(NOW_US + 5, NOW_US, 4) == start_of_debt(NOW_US + 4, NOW_US, 5) == NOW_US + 5
    assert [tokens(NOW_US + us, NOW_US, BUCKET) for us in (0, 1, 1000, 2000, 2001, 9000)] == [3, 2, 2, 1, 0, 0]


@pytest.mark.parametrize(
    ("debt_us", "by_us", "moved_us"),
    [
        (5, -9, 0),
        (5, -3, 2),
        (-5, 0, 0),
        (5, 0, 5),
        (5, 1, 6),
        (5, 3, 8),
        (5, 10**15, 100 + LONGEST_DEBT_US),
        (10**15, 7, 10**15),
        (0, 100 + LONGEST_DEBT_US, 100 + LONGEST_DEBT_US),
    ],
)
def test_a_correction_leads_neither_into_the_past_nor_beyond_all_debt(debt_us, by_us, moved_us):
    assert moved(NOW_US + debt_us, NOW_US, by_us, 100) == NOW_US + moved_us


@pytest.mark.parametrize(("rule", "depth_us"), [(BUCKET, 3000), (DRAIN, 2000)], ids=repr)
def test_a_buckets_correction_is_of_as_many_intervals(rule, depth_us):
    for units, debt_us in ((2, 7000), (-2, 3000), (-9, 0), (10**12, LONGEST_DEBT_US + depth_us)):
        assert rule.corrected((NOW_US + 5000,), NOW_US, units, NOTHING) == (NOW_US + debt_us,)
    assert rule.corrected(None, NOW_US, 1, Known(debt_us=500)) == (NOW_US + 1500,)


WINDOW = Window(60_000, 1000)


def parts(latest: int, count: int, units: int) -> tuple[int, ...]:
    """So many parts, one after the other, the latest first."""
    return tuple(number for index in range(latest, latest - count, -1) for number in (index * TICKS + 3, units))


def test_parts_beyond_the_most_are_added_to_the_oldest_that_is_kept():
    """Clocks differ: to one that is behind, no part of one that is ahead is over."""
    one, other, now_us = parts(100, MOST_PARTS, 1), parts(92, MOST_PARTS, 2), 0
    seen = WINDOW.seen(now_us, one, other)
    oldest = 100 - MOST_PARTS + 1
    assert [last // TICKS for last in seen[::2]] == list(range(100, oldest - 1, -1))
    assert seen[1::2] == (*[1] * 8, *[2] * (MOST_PARTS - 9), 2 + 2 * 8)
    assert sum(seen[1::2]) == 8 + 2 * MOST_PARTS


def test_or_to_a_part_at_its_place_that_nobody_has_charged():
    oldest = 100 - MOST_PARTS + 1
    seen = WINDOW.seen(0, parts(100, 1, 1), parts(oldest - 1, 3, 5))
    assert seen == (100 * TICKS + 3, 1, oldest * TICKS, 15)
    kept = WINDOW.seen(0, parts(100, 1, 1), parts(oldest, 3, 5))
    assert kept == (100 * TICKS + 3, 1, oldest * TICKS + 3, 15)
    whole = WINDOW.seen(0, parts(100, 1, 1), parts(oldest, 2, 5))
    assert whole[1::2] == (1, 10)
    assert WINDOW.seen(0, parts(100, 1, 1), parts(oldest, 1, 5)) == (*parts(100, 1, 1), *parts(oldest, 1, 5))


def test_no_part_holds_more_than_can_be_counted():
    oldest = 100 - MOST_PARTS + 1
    seen = WINDOW.seen(0, parts(100, 1, 1), parts(oldest, 2, MOST_UNITS))
    assert seen[1::2] == (1, MOST_UNITS)


@pytest.mark.parametrize("quota", [1, 13, 14, 20, 28, 1000])
def test_an_even_use_is_spread_over_all_parts_of_the_window(quota):
    window = Window(60_000, quota)
    latest = -(-NOW_US // window.tick_us)
    even = window.evenly_used(None, NOW_US, NOW_US, NOTHING)
    assert sum(even[1::2]) == quota
    assert all((latest - last) % TICKS == 0 and latest - last < PARTS * TICKS for last in even[::2])
    assert max(even[1::2]) - min(even[1::2]) <= 1
    assert len(even) // 2 == min(quota, PARTS)
    newest_first = [window.quota * (part + 1) // PARTS - window.quota * part // PARTS for part in range(PARTS)]
    assert list(even[1::2]) == [units for units in newest_first if units]


def test_a_charge_by_a_clock_that_is_behind_goes_to_the_latest_part():
    kept = (100 * TICKS + 9, 4, 99 * TICKS, 5)
    behind_us = 99 * TICKS * WINDOW.tick_us
    assert WINDOW.decide(kept, behind_us, 2, NOTHING).kept == (100 * TICKS + 9, 6, 99 * TICKS, 5)
    assert WINDOW.decide(kept, behind_us, 0, NOTHING).kept == kept
    ahead_us = (100 * TICKS + 12) * WINDOW.tick_us
    assert WINDOW.decide(kept, ahead_us, 2, NOTHING).kept == (100 * TICKS + 12, 6, 99 * TICKS, 5)
    assert WINDOW.decide(kept, ahead_us - 1, 2, NOTHING).kept[0] == 100 * TICKS + 12
    next_us = 101 * TICKS * WINDOW.tick_us
    assert WINDOW.decide(kept, next_us, 2, NOTHING).kept == (101 * TICKS, 2, *kept)
    assert WINDOW.decide(None, next_us, 2, NOTHING).kept == (101 * TICKS, 2)


def test_two_snapshots_are_joined_as_of_the_later_ones_clock():
    one, other = parts(120, 1, 4), parts(100, 1, 5)
    for now_us in (0, 120 * TICKS * WINDOW.tick_us):
        assert WINDOW.merged(one, other, now_us) == WINDOW.merged(other, one, now_us) == one
    near = parts(119, 1, 5)
    assert WINDOW.merged(one, near, 0) == WINDOW.merged(near, one, 0) == (*one, *near)
    assert WINDOW.merged((), one, 0) == WINDOW.merged(one, (), 0) == one
    assert WINDOW.merged((), (), 0) == ()
    newer, older = (120 * TICKS + 9, 3), (120 * TICKS + 3, 4)
    assert WINDOW.merged(newer, older, 0) == WINDOW.merged(older, newer, 0) == (120 * TICKS + 9, 4)


@pytest.mark.parametrize(
    ("current", "previous", "elapsed_ms", "room"),
    [
        (0, 0, 0, 60),
        (10, 0, 0, 50),
        (0, 60, 0, 0),
        (0, 60, 1000, 1),
        (0, 60, 999, 0),
        (10, 30, 30_000, 35),
        (99, 0, 0, 0),
    ],
)
def test_a_window_counter_has_the_room_that_the_fading_leaves(current, previous, elapsed_ms, room):
    rule, index = WindowCounter(60_000, 60), 30_000_000
    kept, at_us = (index, current, previous), (index * 60_000 + elapsed_ms) * 1000
    decision = rule.decide(kept, at_us, 0, NOTHING)
    assert decision.uncharged.remaining == room
    assert decision.kept == kept
    taken = rule.decide(kept, at_us, room, NOTHING)
    assert (taken.charged.remaining, taken.kept) == (0, (index, current + room, previous))
    assert rule.decide(kept, at_us, room + 1, NOTHING).allowed is False


@pytest.mark.parametrize(
    ("current", "previous", "cost", "wait_ms"),
    [
        (0, 60, 1, 1000),
        (0, 60, 60, 60_000),
        (60, 0, 1, 61_000),
        (60, 0, 60, 120_000),
        (10, 60, 50, 60_000),
        (10, 60, 51, 66_000),
        (0, 0, 61, None),
    ],
)
def test_a_window_counters_refusal_ends_with_the_fading(current, previous, cost, wait_ms):
    rule, index = WindowCounter(60_000, 60), 30_000_000
    refused = rule.decide((index, current, previous), index * 60_000_000, cost, NOTHING).uncharged
    assert refused.retry_after_us == (NEVER if wait_ms is None else wait_ms * 1000)
