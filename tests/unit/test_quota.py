"""Quotas by the calendar, whatever calendars a caller comes with: a period that has begun ends when it was to end."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.decision import Known
from tidegate.limits.quota import Running, period_at

NOTHING = Known()
DAY_US, HOUR_US = 86_400_000_000, 3_600_000_000
ZONES = ["UTC", "Pacific/Kiritimati", "Etc/GMT+12", "Asia/Tokyo", "Europe/Zurich", "America/New_York", "Asia/Kathmandu"]


def us(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 1_000_000


def ask(state, now, zone="UTC", *, calendar="day", quota=10, cost=1):
    return period_at(now, calendar, ZoneInfo(zone), quota).decide(state, now, cost, NOTHING)


def spend(state, now, zone="UTC", **more):
    """Ask until it is refused; return the state and how often it was admitted."""
    admitted = 0
    while (decision := ask(state, now, zone, **more)).allowed:
        state, admitted = decision.kept, admitted + 1
    return state, admitted


def test_an_hour_by_hour_change_of_zone_gives_no_quota_more():
    """The attack: with each hour there is midnight somewhere."""
    state, total, now = None, 0, us("2027-01-15T00:00:00+00:00")
    for hour in range(48):
        zone = f"Etc/GMT{hour % 24 - 12:+d}"
        state, admitted = spend(state, now + hour * HOUR_US + 1, zone)
        total += admitted
    assert total <= 30


@given(
    st.sampled_from(["day", "month"]),
    st.integers(us("2027-01-01T00:00:00+00:00"), us("2029-01-01T00:00:00+00:00")),
    st.lists(
        st.tuples(st.integers(0, 40 * DAY_US) | st.integers(0, 26 * HOUR_US), st.sampled_from(ZONES)), max_size=30
    ),
)
def test_no_change_of_zone_makes_periods_more_or_shorter(calendar, begin, visits):
    state, now, periods = None, begin, []
    for gap_us, zone in visits:
        now += gap_us
        decision = ask(state, now, zone, calendar=calendar, quota=3)
        start, used, end = decision.kept if decision.allowed else decision.uncharged.counts
        assert start <= now < end
        assert used <= 3
        if not periods or periods[-1] != (start, end):
            periods.append((start, end))
        if decision.allowed:
            state = decision.kept
    for (_, ended), (start, end) in pairwise(periods):
        assert start >= ended
        assert end - start >= (23 * HOUR_US if calendar == "day" else 28 * DAY_US - 26 * HOUR_US)
        assert end - start <= (2 * DAY_US + HOUR_US if calendar == "day" else 62 * DAY_US)


def test_who_moves_waits_no_longer_than_he_was_told():
    state, _ = spend(None, us("2027-01-15T20:00:00+00:00"))
    moved = ask(state, us("2027-01-15T21:00:00+00:00"), "Asia/Tokyo")
    assert not moved.allowed
    told = us("2027-01-15T21:00:00+00:00") + moved.uncharged.retry_after_us
    assert told == us("2027-01-16T00:00:00+00:00")
    after = ask(state, told, "Asia/Tokyo")
    assert after.allowed
    # The day that his new calendar has half behind it counts with the next.
    assert after.kept == Running(told, 1, us("2027-01-18T00:00:00+09:00"))


def test_a_month_begun_in_another_zone_is_hardly_shorter():
    state, _ = spend(None, us("2027-01-31T20:00:00+00:00"), calendar="month")
    february = ask(state, us("2027-02-01T00:00:00+00:00"), "Asia/Tokyo", calendar="month")
    assert february.kept == Running(us("2027-02-01T00:00:00+00:00"), 1, us("2027-03-01T00:00:00+09:00"))


@pytest.mark.parametrize(
    ("zone", "noon", "hours"),
    [
        ("Europe/Zurich", "2027-03-28T12:00:00+02:00", 23),
        ("Europe/Zurich", "2027-10-31T12:00:00+01:00", 25),
        ("UTC", "2028-02-29T12:00:00+00:00", 24),
    ],
)
def test_days_follow_the_calendar_where_nobody_moves(zone, noon, hours):
    yesterday, _ = spend(None, us(noon) - DAY_US, zone)
    today = ask(yesterday, us(noon), zone).kept
    assert (today[2] - today[0]) // HOUR_US == hours
    assert today[1] == 1
    tomorrow = ask(today, today[2], zone).kept
    assert tomorrow[0] == today[2]


def test_units_of_a_day_that_is_over_arent_given_back_to_the_next():
    late = us("2027-01-15T23:59:59+00:00")
    charged = ask(None, late, cost=6)
    next_day = ask(charged.kept, late + 2_000_000, cost=8)
    rule = period_at(late, "day", UTC, 10)
    for known in (NOTHING, Known(counts=charged.charged.counts)):
        assert rule.corrected(next_day.kept, late + 3_000_000, -6, known)[1] == 8
        assert rule.corrected(charged.kept, late, -6, known)[1] == 0


def test_a_count_of_the_release_before_goes_on():
    """It kept the period's start and the units, and no end."""
    now = us("2027-01-15T12:00:00+00:00")
    former = (us("2027-01-15T00:00:00+00:00"), 7)
    assert spend(former, now)[1] == 3
    assert spend(former, now + DAY_US)[1] == 10


@pytest.mark.parametrize(("until", "left"), [("00:00", 10), ("06:00", 8), ("12:00", 5)])
def test_a_day_that_counts_as_evenly_used_has_its_rest_left(until, left):
    noon = us("2027-01-15T12:00:00+00:00")
    rule = period_at(noon, "day", UTC, 10)
    used = rule.evenly_used(None, noon, us(f"2027-01-15T{until}:00+00:00"), NOTHING)
    assert spend(used, noon)[1] == left


@pytest.mark.parametrize("skew_us", [-1_000_000, 1_000_000])
def test_who_asks_by_another_clock_around_midnight_gets_no_second_quota(skew_us):
    """The asker finds the period by its own clock, and the store decides by its own."""
    midnight = us("2027-01-16T00:00:00+00:00")
    state, total = None, 0
    for now in (midnight - 500_000, midnight + 500_000):
        rule = period_at(now + skew_us, "day", UTC, 10)
        while (decision := rule.decide(state, now, 1, NOTHING)).allowed:
            state, total = decision.kept, total + 1
            assert now < state[2]
    assert total <= 20
    assert spend(state, midnight + DAY_US // 2)[1] == 0
