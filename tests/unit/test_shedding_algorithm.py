"""Shedding's pure part: what is refused grows with the pressure, in order, by principal and without a jump."""

import math
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tidegate.algorithms.shedding import (
    BANDS,
    BELOW_CRITICAL,
    EPOCH_S,
    Average,
    Demand,
    place_of,
    pressure_of,
    ramp,
    refused_share,
)
from tidegate.criticality import ORDER, rank

pressures = st.floats(0, 1)
criticalities = st.sampled_from(ORDER)
amounts = st.floats(0, 1000)
demands = st.builds(Demand, amounts, amounts, amounts)
principals = st.text(max_size=40)
moments = st.floats(1_700_000_000, 2_000_000_000)
PRINCIPALS = [f"key:{i}" for i in range(4000)]


def admitted(demand: Demand, pressure: float) -> float:
    return sum(getattr(demand, each) * (1 - refused_share(pressure, each)) for each in ORDER)


@given(pressures, pressures, criticalities)
def test_more_pressure_never_refuses_fewer(one, other, criticality):
    low, high = sorted((one, other))
    assert refused_share(low, criticality) <= refused_share(high, criticality)


@given(pressures, criticalities, criticalities)
def test_nothing_is_refused_while_something_less_critical_is_not_all_refused(pressure, one, other):
    dearer, cheaper = sorted((one, other), key=rank)
    assume(dearer != cheaper)
    if refused_share(pressure, dearer) > 0:
        assert refused_share(pressure, cheaper) == 1


@given(pressures, st.floats(0, 0.001), criticalities)
def test_a_small_change_of_the_pressure_changes_little(pressure, step, criticality):
    begins, ends = BANDS[criticality]
    change = refused_share(min(1, pressure + step), criticality) - refused_share(pressure, criticality)
    assert change <= step / (ends - begins) + 1e-9


def test_without_a_pressure_nobody_is_refused_and_at_its_height_everybody():
    assert [refused_share(0, each) for each in ORDER] == [0, 0, 0]
    assert [refused_share(1, each) for each in ORDER] == [1, 1, 1]
    assert [refused_share(BELOW_CRITICAL, each) for each in ORDER] == [0, 1, 1]


@given(demands, st.floats(0.01, 3000))
def test_the_pressure_of_a_demand_lets_in_what_there_is_room_for_and_no_less(demand, room):
    pressure = pressure_of(demand, room)
    assert 0 <= pressure <= 1
    assert admitted(demand, pressure) == pytest.approx(min(sum(demand), room), rel=1e-6, abs=1e-6)


@given(demands, st.floats(0.01, 3000), criticalities, amounts)
def test_more_demand_or_less_room_is_no_less_pressure(demand, room, criticality, more):
    before = pressure_of(demand, room)
    assert pressure_of(demand.plus(criticality, more), room) >= before - 1e-9
    assert pressure_of(demand, room + more) <= before + 1e-9


@pytest.mark.parametrize("share", [0.05, 0.3, 0.5, 0.9])
def test_the_share_refused_is_that_of_principals(share):
    refused = sum(place_of(each, 1_800_000_000) < share for each in PRINCIPALS)
    deviation = math.sqrt(share * (1 - share) / len(PRINCIPALS))
    assert refused / len(PRINCIPALS) == pytest.approx(share, abs=5 * deviation)


@given(principals, moments)
def test_a_place_is_a_share(principal, now_s):
    assert 0 <= place_of(principal, now_s) < 1


@given(principals, moments)
def test_a_principal_keeps_its_place_for_an_epoch_and_changes_it_once(principal, now_s):
    places = [place_of(principal, now_s + EPOCH_S * i / 40) for i in range(41)]
    assert len(set(places)) == 2
    assert sum(a != b for a, b in pairwise(places)) == 1


def test_places_are_not_changed_all_at_once():
    changes = [
        sum(place_of(each, 1_800_000_000 + s) != place_of(each, 1_800_000_000 + s + 60) for each in PRINCIPALS)
        for s in range(0, EPOCH_S, 60)
    ]
    assert sum(changes) == len(PRINCIPALS)
    assert max(changes) < 2 * len(PRINCIPALS) * 60 / EPOCH_S


@given(st.floats(0.1, 50), st.floats(0.01, 5), st.floats(1, 20))
def test_a_steady_stream_of_work_is_what_would_be_in_flight(per_second, run_s, window_s):
    demand, step = Demand(), 1 / per_second
    window_s = max(window_s, 20 * step)
    for _ in range(int(8 * window_s * per_second)):
        demand = demand.after(step, window_s, Demand(normal=run_s))
    assert demand.normal == pytest.approx(per_second * run_s, rel=0.05)  # Little's law
    assert (demand.critical, demand.sheddable) == (0, 0)


@given(demands, st.floats(0, 100), st.floats(0.1, 60))
def test_a_demand_fades_and_never_falls_below_nothing(demand, elapsed_s, window_s):
    later = demand.after(elapsed_s, window_s, Demand(sheddable=-5))
    assert all(0 <= now <= was for now, was in zip(later, demand, strict=True))


def test_an_average_follows_what_is_seen_and_is_forgotten_without_it():
    average = Average()
    assert average.at(5, 10) == 0
    average = average.with_sample(100, 5, 0.1).with_sample(200, 6, 0.1)
    assert average.at(6, 10) == pytest.approx(110)
    assert average.at(16, 10) == pytest.approx(55)


@given(st.floats(-10, 10), st.floats(-10, 10), st.floats(0.1, 10))
def test_a_ramp_rises_from_end_to_end(value, low, width):
    assert 0 <= ramp(value, low, low + width) <= 1
    assert (ramp(low, low, low + width), ramp(low + width, low, low + width)) == (0, 1)
