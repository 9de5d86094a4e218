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


@pytest.mark.parametrize("rule", [Bucket(1000, 8), Drain(1000, 0), Window(8, 8), WindowCounter(8, 8)], ids=repr)
@pytest.mark.parametrize("rank", [0, 1, 3])
def test_the_first_tokens_follow_one_another_at_the_limits_interval(rule, rank):
    first_us = SINCE_US + (rank + 1) * 1000
    for now, admitted in ((SINCE_US, False), (first_us - 1, False), (first_us, True)):
        part = scaled_rule(rule, Share(4, rank, SINCE_US), now, 1, NOTHING)
        decision = part.rule.decide(None, now, 1, Known(part.debt_us))
        assert decision.allowed is admitted
        if not admitted:
            assert decision.uncharged.retry_after_us == first_us - now
    assert part.rule.interval_us == 4000


@pytest.mark.parametrize(
    ("rule", "cost", "numbers"),
    [
        (Bucket(1000, 9), 1, (4000, 2)),
        (Bucket(1000, 3), 1, (4000, 1)),
        (Bucket(1000, 3), 0, (4000, 1)),
        (Bucket(1000, 9), 5, (4000, 5)),
        (Bucket(1000, 9), 10, (4000, 9)),
        (Drain(1000, 5000), 1, (4000, 5000)),
        (Drain(1000, 5000), 2, (4000, 5000)),
        (Drain(1000, 5000), 3, (4000, 8000)),
        (Drain(1000, 5000), 6, (4000, 20_000)),
        (Drain(1000, 5000), 9, (4000, 20_000)),
        (Window(10, 3), 1, (4 * 3334, 1)),
        (WindowCounter(10, 3), 2, (4 * 3334, 2)),
        (Slots(7, 60_000_000), 1, (2, 60_000_000)),
        (Slots(3, 60_000_000), 1, (1, 60_000_000)),
        (Slots(2, 60_000_000), 1, (0, 60_000_000)),
    ],
    ids=repr,
)
def test_the_third_of_four_has_its_part_and_is_deep_enough_for_the_cost(rule, cost, numbers):
    assert scaled_rule(rule, Share(4, 2, SINCE_US), SINCE_US, cost, NOTHING).rule.numbers == numbers


def test_a_share_whose_first_token_is_long_due_owes_nothing():
    for rule in (Bucket(1000, 8), Drain(1000, 0), Slots(4, 1), Period(SINCE_US, SINCE_US + 10, 5)):
        assert scaled_rule(rule, Share(4, 3, SINCE_US), SINCE_US + 10**9, 1, NOTHING).debt_us == 0


@pytest.mark.parametrize(("used", "rank", "quota"), [(0, 0, 2), (0, 1, 1), (3, 0, 4), (3, 1, 4), (5, 0, 5), (9, 0, 5)])
def test_a_share_of_a_quota_is_added_to_what_was_used_before(used, rank, quota):
    period, known = Period(SINCE_US, SINCE_US + 10**12, 5), Known(counts=(SINCE_US, used, SINCE_US + 10**12))
    part = scaled_rule(period, Share(4, rank, SINCE_US), SINCE_US, 1, known)
    assert part.rule == Period(SINCE_US, SINCE_US + 10**12, quota)


def test_what_is_no_limit_cant_be_shared():
    with pytest.raises(TypeError, match="can't be shared"):
        scaled_rule("no rule", Share(4, 0, SINCE_US), SINCE_US, 1, NOTHING)
