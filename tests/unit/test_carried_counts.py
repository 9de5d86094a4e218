"""What stores make of counts that another store, another environment or the calendar has left them."""

from __future__ import annotations

from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.decision import MOST_UNITS, NEVER, Known, LimitState
from tidegate.limits.concurrency import Slots
from tidegate.limits.leaky_bucket import Drain
from tidegate.limits.quota import Period, Running, period_at
from tidegate.limits.sliding_window import TICKS, Window
from tidegate.limits.sliding_window_counter import WindowCounter
from tidegate.limits.token_bucket import Bucket

NOTHING = Known()
MINUTE = WindowCounter(60_000, 60)
MINUTE_US = 60_000_000
AT = 30_000_000  # a window counter's window, so many minutes after the epoch
NOW_US = AT * MINUTE_US
DAY_US, HOUR_US = 86_400_000_000, 3_600_000_000
DAY = Period(NOW_US, NOW_US + DAY_US, 24)


def state(counts: tuple[int, ...] = ()) -> LimitState:
    return LimitState(allowed=True, remaining=1, retry_after_us=0, counts=counts)


class TestAWindowCounter:
    @pytest.mark.parametrize(
        ("kept", "known"),
        [
            ((AT, 5, 2), True),
            ((AT - 1, 5, 2), True),
            ((AT - 2, 5, 2), False),
            ((AT + 1, 0, 0), True),
            (None, False),
        ],
    )
    def test_it_is_known_while_it_or_the_one_after_it_runs(self, kept, known):
        assert MINUTE.knows(kept, NOW_US) is MINUTE.knows(kept, NOW_US + MINUTE_US - 1) is known

    @pytest.mark.parametrize(
        ("one", "other", "both"),
        [
            ((AT, 3, 9), (AT, 5, 2), (AT, 5, 9)),
            ((AT - 1, 7, 4), (AT, 5, 2), (AT, 5, 7)),
            ((AT - 2, 7, 4), (AT, 5, 2), (AT, 5, 2)),
            ((AT - 1, 7, 4), (AT - 1, 5, 2), (AT, 0, 7)),
            ((AT - 2, 7, 4), (AT - 3, 5, 2), (AT, 0, 0)),
            ((AT + 1, 1, 1), (AT, 5, 2), (AT + 1, 1, 5)),
        ],
    )
    def test_two_snapshots_make_the_larger_counts_of_the_later_window(self, one, other, both):
        assert MINUTE.merged(one, other, NOW_US) == MINUTE.merged(other, one, NOW_US) == both

    @pytest.mark.parametrize(
        ("units", "charged_in", "kept"),
        [
            (-3, (), (AT, 7, 20)),
            (-3, (AT, 1, 1), (AT, 7, 20)),
            (-30, (AT, 1, 1), (AT, 0, 20)),
            (-3, (AT - 1, 1, 1), (AT, 10, 17)),
            (-30, (AT - 1, 1, 1), (AT, 10, 0)),
            (-3, (AT - 2, 1, 1), (AT, 10, 20)),
            (3, (), (AT, 13, 20)),
            (3, (AT - 1, 1, 1), (AT, 13, 20)),
            (0, (AT - 1, 1, 1), (AT, 10, 20)),
            (2**60, (), (AT, MOST_UNITS, 20)),
        ],
    )
    def test_units_go_back_to_the_window_in_which_they_were_charged(self, units, charged_in, kept):
        assert MINUTE.corrected((AT, 10, 20), NOW_US, units, Known(counts=charged_in)) == kept

    @pytest.mark.parametrize(
        ("passed_us", "kept", "known", "counts"),
        [
            (0, None, (), (AT, 0, 60)),
            (20_000_000, None, (), (AT, 20, 60)),
            (20_999_999, None, (), (AT, 20, 60)),
            (59_999_999, None, (), (AT, 59, 60)),
            (20_000_000, (AT, 50, 0), (AT, 0, 70), (AT, 50, 70)),
        ],
    )
    def test_even_use_fills_the_window_before_and_a_part_of_this_one(self, passed_us, kept, known, counts):
        at_us = NOW_US + passed_us
        assert MINUTE.evenly_used(kept, at_us, at_us, Known(counts=known)) == counts

    @given(st.integers(1, 100_000), st.integers(1, 1000), st.integers(0, 10**9))
    def test_evenly_used_up_to_now_it_has_no_room_and_later_its_own_pace(self, window_ms, quota, passed_ms):
        rule, since_us = WindowCounter(window_ms, quota), NOW_US + passed_ms * 1000
        used = rule.evenly_used(None, since_us, since_us, NOTHING)
        assert rule.decide(used, since_us, 0, NOTHING).uncharged.remaining == 0
        later_us = since_us + 2 * window_ms * 1000
        assert rule.decide(rule.evenly_used(None, later_us, since_us, NOTHING), later_us, quota, NOTHING).allowed

    @pytest.mark.parametrize(
        ("counts", "passed_us", "wait_us"),
        [
            ((), 0, MINUTE_US),
            ((), 1_000_000, 59_000_000),
            ((AT, 1, 1), 59_999_999, 1000),
            ((AT, 1, 1), MINUTE_US + 5, 1000),
            ((AT + 1, 1, 1), 0, 2 * MINUTE_US),
        ],
    )
    def test_a_unit_comes_back_when_its_window_ends(self, counts, passed_us, wait_us):
        assert MINUTE.next_unit_us(state(counts), NOW_US + passed_us) == wait_us

    @given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 3 * MINUTE_US))
    def test_it_is_kept_until_it_does_not_count(self, current, previous, later_us):
        kept = AT, current, previous
        ends_us = NOW_US + later_us + MINUTE.kept_for_us(kept, NOW_US + later_us)
        assert MINUTE.decide(kept, ends_us, 60, NOTHING) == MINUTE.decide(None, ends_us, 60, NOTHING)
        assert ends_us == max(NOW_US + 2 * MINUTE_US, NOW_US + later_us)

    def test_brought_counts_are_as_good_as_kept_ones(self):
        for kept, brought in (((AT, 10, 20), (AT, 30, 5)), ((AT, 30, 5), (AT, 10, 20))):
            decision = MINUTE.decide(kept, NOW_US + 30_000_000, 1, Known(counts=brought))
            assert decision.uncharged.counts == (AT, 30, 20)
            assert decision.uncharged.remaining == 20


class TestAPeriod:
    @pytest.mark.parametrize(("passed_us", "known"), [(-1, True), (0, True), (DAY_US - 1, True), (DAY_US, False)])
    def test_it_is_known_until_it_ends(self, passed_us, known):
        assert DAY.knows(Running(NOW_US, 3, NOW_US + DAY_US), NOW_US + passed_us) is known
        assert DAY.knows(None, NOW_US + passed_us) is False

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ((NOW_US, 3, NOW_US + DAY_US), (NOW_US, 5, NOW_US + DAY_US)),
            ((NOW_US - DAY_US, 9, NOW_US), (NOW_US, 5, NOW_US + DAY_US)),
            ((NOW_US, 3), (NOW_US, 5, NOW_US + DAY_US)),
        ],
    )
    def test_of_two_snapshots_the_later_or_the_larger_counts(self, one, other):
        assert DAY.merged(one, other, 0) == DAY.merged(other, one, 0) == (NOW_US, 5, NOW_US + DAY_US)

    @pytest.mark.parametrize(
        ("kept", "running"),
        [
            ((NOW_US, 7), (NOW_US, 7, NOW_US + DAY_US)),
            ((NOW_US - 3_600_000_000, 7), (NOW_US - 3_600_000_000, 7, NOW_US - 3_600_000_000 + DAY_US)),
            ((NOW_US, 7, NOW_US), (NOW_US, 7, NOW_US + DAY_US)),
            ((NOW_US, 7, NOW_US + 1), (NOW_US, 7, NOW_US + 1)),
        ],
    )
    def test_without_an_end_after_its_start_it_is_as_long_as_the_callers(self, kept, running):
        assert DAY.running(NOW_US, kept) == running

    @pytest.mark.parametrize(
        ("days", "running"),
        [(0, (0, 1)), (1, (1, 2)), (1.5, (1, 2)), (2, (2, 2)), (9, (2, 2))],
    )
    def test_a_clock_that_is_ahead_counts_in_the_next_one(self, days, running):
        start, end = (NOW_US + day * DAY_US for day in running)
        kept = (NOW_US, 5, NOW_US + DAY_US)
        found = DAY.running(NOW_US + int(days * DAY_US), kept)
        assert (found.start_us, found.end_us) == (start, end)
        assert found.used == (0 if days else 5)

    @pytest.mark.parametrize(("calendar", "slack_us"), [("day", 0), ("month", 26 * HOUR_US)])
    def test_a_month_alone_may_be_shorter_by_as_much_as_zones_are_apart(self, calendar, slack_us):
        assert period_at(NOW_US, calendar, UTC, 5).slack_us == slack_us

    def test_the_next_one_is_as_long_if_nothing_else_is_said(self):
        assert DAY.next_end_us == NOW_US + 2 * DAY_US
        assert DAY.numbers == (f"{NOW_US}:{NOW_US + DAY_US}:{NOW_US + 2 * DAY_US}:0", 24)
        said = Period(NOW_US, NOW_US + DAY_US, 24, NOW_US + 3 * DAY_US, 7)
        assert said.numbers == (f"{NOW_US}:{NOW_US + DAY_US}:{NOW_US + 3 * DAY_US}:7", 24)

    @pytest.mark.parametrize(("slack_us", "whole"), [(0, False), (59, False), (60, True), (61, True)])
    def test_one_that_lacks_no_more_than_the_slack_isnt_joined_with_the_next(self, slack_us, whole):
        mine = Period(NOW_US, NOW_US + DAY_US, 24, NOW_US + 2 * DAY_US, slack_us)
        theirs = (NOW_US - DAY_US, 5, NOW_US + 60)
        assert mine.running(NOW_US + 60, theirs) == (NOW_US + 60, 0, NOW_US + (1 if whole else 2) * DAY_US)

    @pytest.mark.parametrize(
        ("passed_us", "cost", "wait_us"),
        [(0, 24, DAY_US), (DAY_US - 1, 1, 1), (5, 25, NEVER), (DAY_US - 5, 24, 5)],
    )
    def test_a_refusal_says_when_the_period_ends(self, passed_us, cost, wait_us):
        spent = (NOW_US, 24, NOW_US + DAY_US)
        refused = DAY.decide(spent, NOW_US + passed_us, cost, NOTHING).uncharged
        assert (refused.allowed, refused.remaining, refused.retry_after_us) == (False, 0, wait_us)
        assert DAY.decide_quickly(spent, NOW_US + passed_us, cost, 0)[0] == refused

    @pytest.mark.parametrize(
        ("units", "charged_at", "used"),
        [
            (-3, None, 7),
            (-3, NOW_US, 7),
            (-3, NOW_US - 1, 10),
            (-3, NOW_US + 1, 7),
            (-1, NOW_US - 1, 10),
            (-30, NOW_US, 0),
            (3, NOW_US - 1, 13),
            (1, NOW_US - 1, 11),
            (0, NOW_US, 10),
            (2**60, NOW_US, MOST_UNITS),
        ],
    )
    def test_units_go_back_to_the_period_in_which_they_were_charged(self, units, charged_at, used):
        counts = () if charged_at is None else (charged_at, 1, charged_at + DAY_US)
        kept = (NOW_US, 10, NOW_US + DAY_US)
        assert DAY.corrected(kept, NOW_US, units, Known(counts=counts)) == (NOW_US, used, NOW_US + DAY_US)

    @pytest.mark.parametrize(
        ("since_us", "used"),
        [
            (-1, 5),
            (0, 5),
            (DAY_US // 4, 6),
            (DAY_US // 2, 12),
            (DAY_US // 24 * 7 - 1, 6),
            (DAY_US, 24),
            (2 * DAY_US, 24),
        ],
    )
    def test_even_use_is_of_the_part_that_has_passed(self, since_us, used):
        kept = (NOW_US, 5, NOW_US + DAY_US)
        assert DAY.evenly_used(kept, NOW_US, NOW_US + since_us, NOTHING) == (NOW_US, used, NOW_US + DAY_US)

    @pytest.mark.parametrize(
        ("counts", "passed_us", "wait_us"),
        [
            ((), 5, DAY_US - 5),
            ((), DAY_US, 1),
            ((NOW_US, 3, NOW_US + 100), 40, 60),
            ((NOW_US, 3, NOW_US + 100), 200, 1),
        ],
    )
    def test_a_unit_comes_back_when_it_ends(self, counts, passed_us, wait_us):
        assert DAY.next_unit_us(state(counts), NOW_US + passed_us) == wait_us

    @pytest.mark.parametrize(
        ("passed_us", "kept_us"),
        [
            (0, 2 * DAY_US),
            (2 * DAY_US - 1_000_001, 1_000_001),
            (2 * DAY_US - 999_999, 1_000_000),
            (5 * DAY_US, 1_000_000),
        ],
    )
    def test_it_is_kept_for_a_period_longer_and_for_a_second_at_least(self, passed_us, kept_us):
        kept = (NOW_US, 3, NOW_US + DAY_US)
        assert DAY.kept_for_us(kept, NOW_US + passed_us) == kept_us


class TestAWindow:
    @pytest.mark.parametrize("window", [Window(60_000, 10), Window(1, 5), Window(86_400_000, 3)])
    def test_a_part_counts_for_the_window_after_its_last_tick(self, window):
        kept = (10**9, 2)
        ends_us = 10**9 * window.tick_us + window.window_ms * 1000
        for at_us, counts in ((ends_us, kept), (ends_us + 1, ())):
            assert window.seen(at_us, kept) == window.seen(at_us, kept, kept) == counts
            assert window.knows(kept, at_us) is bool(counts)
            assert window.kept_for_us(kept, at_us) == (1 if counts else 0)
        assert window.kept_for_us(kept, ends_us - 99) == 100

    def test_without_parts_it_is_kept_and_waited_for_by_its_length(self):
        assert Window(60_000, 10).kept_for_us((), NOW_US) == 0
        assert Window(60_000, 10).next_unit_us(state(), NOW_US) == MINUTE_US
        assert Window(60_000, 10).knows(None, NOW_US) is False

    def test_the_next_unit_comes_back_with_the_oldest_part(self):
        window = Window(60_000, 10)
        oldest = NOW_US // window.tick_us
        ends_us = oldest * window.tick_us + MINUTE_US + 1
        parts = (oldest + 3 * TICKS, 4, oldest, 2)
        assert window.next_unit_us(state(parts), ends_us - 70) == 70
        assert window.next_unit_us(state(parts), ends_us) == window.next_unit_us(state(parts), ends_us + 9) == 1

    @pytest.mark.parametrize("units", [0, -1])
    def test_a_part_without_units_is_none(self, units):
        window = Window(60_000, 10)
        tick = NOW_US // window.tick_us
        assert window.seen(NOW_US, (tick, units), (tick - TICKS, 3)) == (tick - TICKS, 3)
        assert window.seen(NOW_US, (tick, 0)) == ()

    @given(st.integers(14, 200), st.integers(0, 99), st.integers(0, 3))
    def test_evenly_used_up_to_now_it_has_no_room_and_keeps_what_is_known(self, quota, passed, known):
        window = Window(60_000, quota)
        now_us = NOW_US + passed * 16_741
        tick = -(-now_us // window.tick_us)
        used = window.evenly_used(None, now_us, now_us, NOTHING)
        assert sum(used[1::2]) == quota
        assert used[0] == tick
        assert window.decide(used, now_us, 1, NOTHING).allowed is False
        more = window.evenly_used((tick, quota + known), now_us, now_us, NOTHING)
        brought = window.evenly_used(None, now_us, now_us, Known(counts=(tick, quota + known)))
        assert more == brought == (tick, quota + known, *used[2:])

    @pytest.mark.parametrize(
        ("units", "charged_in", "left"),
        [
            (-1, None, (3, 5)),
            (-1, 0, (3, 5)),
            (-1, 1, (4, 4)),
            (-9, 1, (4,)),
            (-9, 0, (5,)),
            (-1, 2, (4, 5)),
            (2, None, (6, 5)),
            (0, None, (4, 5)),
        ],
    )
    def test_units_go_back_to_the_part_in_which_they_were_charged(self, units, charged_in, left):
        window = Window(60_000, 100)
        tick = -(-NOW_US // window.tick_us) // TICKS * TICKS + 7
        now_us = tick * window.tick_us
        kept = (tick, 4, tick - TICKS, 5)
        counts = () if charged_in is None else (tick - charged_in * TICKS + charged_in, 1)
        assert window.corrected(kept, now_us, units, Known(counts=counts))[1::2] == left

    def test_no_part_counts_more_than_any_limit_holds(self):
        window = Window(60_000, 100)
        full = window.corrected(None, NOW_US, MOST_UNITS, NOTHING)
        assert window.corrected(full, NOW_US, 1, NOTHING) == full


@pytest.mark.parametrize("rule", [Bucket(1000, 5), Drain(1000, 5000)])
def test_a_buckets_next_unit_comes_after_its_interval(rule):
    assert rule.next_unit_us(state(), NOW_US) == 1000
    assert rule.kept_for_us((NOW_US + 7,), NOW_US) == 7
    assert rule.kept_for_us((NOW_US - 7,), NOW_US) == rule.kept_for_us((NOW_US,), NOW_US) == 0


def test_where_there_are_no_slots_a_lease_is_waited_for():
    """A share of few slots may be none."""
    refused = Slots(0, 5_000_000).decide(None, NOW_US, 1, Known(holder="a")).uncharged
    assert (refused.allowed, refused.remaining, refused.retry_after_us) == (False, 0, 5_000_000)


def test_slots_are_waited_for_until_the_first_lease_ends():
    rule, held = Slots(2, 5_000_000), (("a", NOW_US + 9), ("b", NOW_US + 4))
    assert rule.decide(held, NOW_US, 1, Known(holder="c")).uncharged.retry_after_us == 4
    assert rule.kept_for_us(held, NOW_US) == 9
    assert rule.kept_for_us((), NOW_US) == 0
    assert rule.next_unit_us(state(), NOW_US) == 0
    assert rule.alive(held, NOW_US + 4) == (("a", NOW_US + 9),)


def test_slots_that_are_taken_tell_what_is_left_with_and_without():
    decision = Slots(3, 5_000_000).decide((("a", NOW_US + 9),), NOW_US, 1, Known(holder="b"))
    assert decision.kept == (("a", NOW_US + 9), ("b", NOW_US + 5_000_000))
    assert decision.charged == LimitState(allowed=True, remaining=1, retry_after_us=0)
    assert decision.uncharged == LimitState(allowed=True, remaining=2, retry_after_us=0)
    again = Slots(1, 5_000_000).decide((("b", NOW_US + 9),), NOW_US, 1, Known(holder="b"))
    assert again.charged == LimitState(allowed=True, remaining=0, retry_after_us=0)
