"""Fair shares: what a fleet admits alone is what the limit would, paced and without a burst."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.decision import Known
from tidegate.limits.concurrency import Slots
from tidegate.limits.leaky_bucket import Drain
from tidegate.limits.quota import Period
from tidegate.limits.share import Share, scaled_rule
from tidegate.limits.sliding_window import Window
from tidegate.limits.sliding_window_counter import WindowCounter
from tidegate.limits.token_bucket import Bucket

NOTHING = Known()
SINCE_US = 1_800_000_000_000_000
fleets = st.integers(2, 60)


def admitted_by_fleet(rule, environments: int, moments: list[int], known: Known = NOTHING) -> list[int]:
    """Every environment asks at every moment, as often as it is admitted; returns when each admission was."""
    states, admitted = {}, []
    for now in moments:
        for rank in range(environments):
            share = Share(environments, rank, SINCE_US)
            while True:
                part = scaled_rule(rule, share, now, 1, known)
                asked = Known(part.debt_us, known.counts, holder=f"{rank}-{len(admitted)}")
                decision = part.rule.decide(states.get(rank), now, 1, asked)
                if not decision.allowed:
                    break
                states[rank] = decision.kept
                admitted.append(now)
    return admitted


@given(fleets, st.integers(1_000, 1_000_000), st.integers(1, 100), st.integers(1, 40))
def test_a_fleets_buckets_admit_the_rate_and_no_burst_on_top(environments, interval_us, burst, rounds):
    bucket = Bucket(interval_us, burst)
    step = interval_us * environments // 3 + 1
    moments = [SINCE_US + i * step for i in range(rounds)]
    admitted = admitted_by_fleet(bucket, environments, moments)
    for count, now in enumerate(admitted, start=1):
        assert count <= (now - SINCE_US) / interval_us


@pytest.mark.parametrize("environments", [2, 10, 1000])
def test_a_fleet_that_asks_all_the_time_gets_the_whole_rate(environments):
    bucket = Bucket(10_000, 200)
    moments = list(range(SINCE_US, SINCE_US + 20_000_001, 20_000_000 // 100))
    admitted = len(admitted_by_fleet(bucket, environments, moments))
    assert 0.9 * 2000 <= admitted <= 2000


@given(fleets, st.integers(1, 1000), st.integers(0, 1000))
def test_what_is_left_of_a_quota_is_divided_without_a_rest(environments, quota, used):
    period, known = Period(SINCE_US, SINCE_US + 10**12, quota), Known(counts=(SINCE_US, used))
    assert len(admitted_by_fleet(period, environments, [SINCE_US], known)) == max(0, quota - used)


@given(fleets, st.integers(1, 200))
def test_slots_are_divided_without_a_rest(environments, slots):
    assert len(admitted_by_fleet(Slots(slots, 60_000_000), environments, [SINCE_US])) == slots


@pytest.mark.parametrize("kind", [Window, WindowCounter])
@given(fleets, st.integers(1, 100))
def test_a_window_is_shared_as_the_bucket_of_its_rate(kind, environments, quota):
    moments = [SINCE_US + i * 500_000 for i in range(7)]
    assert len(admitted_by_fleet(kind(1000, quota), environments, moments)) <= 3 * quota


@given(fleets, st.integers(1, 1_000_000), st.integers(1, 30), st.data())
@pytest.mark.parametrize("kind", ["bucket", "leaky"])
def test_a_share_admits_at_last_any_cost_that_the_whole_limit_would(kind, environments, interval_us, most, data):
    rule = Bucket(interval_us, most) if kind == "bucket" else Drain(interval_us, (most - 1) * interval_us)
    cost, rank = data.draw(st.integers(1, most)), data.draw(st.integers(0, environments - 1))
    later = SINCE_US + (environments + 1) * (most + 1) * interval_us
    part = scaled_rule(rule, Share(environments, rank, SINCE_US), later, cost, NOTHING)
    assert part.rule.decide(None, later, cost, Known(part.debt_us)).allowed


@given(fleets, st.integers(10_000, 1_000_000))
def test_a_fleets_leaky_buckets_start_no_more_than_the_pace(environments, interval_us):
    moments = [SINCE_US + i * interval_us for i in range(3 * environments)]
    admitted = admitted_by_fleet(Drain(interval_us, 0), environments, moments)
    assert len(admitted) <= 3 * environments
