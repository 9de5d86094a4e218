"""Shedding's pure part: what is refused grows with the pressure, in order, by principal and without a jump."""

import math
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tidegate.criticality import ORDER, rank
from tidegate.shedding.pressure import (
    BANDS,
    BELOW_CRITICAL,
    EPOCH_S,
    FALLS_PER_S,
    WAITS_S,
    Average,
    Demand,
    Falling,
    place_of,
    pressure_of,
    ramp,
    refused_share,
)

pressures = st.floats(0, 1)
criticalities = st.sampled_from(ORDER)
amounts = st.floats(0, 1000)
demands = st.builds(Demand, amounts, amounts, amounts)
principals = st.text(max_size=40)
moments = st.floats(1_700_000_000, 2_000_000_000)
SECRET = b"known to nobody"
PRINCIPALS = [f"key:{i}" for i in range(4000)]


def admitted(demand: Demand, pressure: float) -> float:
    return sum(getattr(demand, each) * (1 - refused_share(pressure, each)) for each in ORDER)


@given(pressures, pressures, criticalities)
def test_more_pressure_never_refuses_fewer(one, other, criticality):
    low, high = sorted((one, other))
    assert refused_share(low, criticality) <= refused_share(high, criticality)


@given(pressures, criticalities, criticalities)
def test_nothing_is_refused_before_everything_less_critical_is(pressure, one, other):
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
def test_the_pressure_of_a_demand_lets_in_all_that_there_is_room_for(demand, room):
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
    refused = sum(place_of(each, 1_800_000_000, SECRET) < share for each in PRINCIPALS)
    deviation = math.sqrt(share * (1 - share) / len(PRINCIPALS))
    assert refused / len(PRINCIPALS) == pytest.approx(share, abs=5 * deviation)


@given(principals, moments)
def test_a_place_is_a_share(principal, now_s):
    assert 0 <= place_of(principal, now_s, SECRET) < 1


@given(principals, moments)
def test_a_principal_keeps_its_place_for_an_epoch_and_changes_it_once(principal, now_s):
    places = [place_of(principal, now_s + EPOCH_S * i / 40, SECRET) for i in range(41)]
    assert len(set(places)) == 2
    assert sum(a != b for a, b in pairwise(places)) == 1


def test_without_the_secret_the_order_cannot_be_computed():
    ours, theirs = (sorted(PRINCIPALS, key=lambda each: place_of(each, 0, key)) for key in (SECRET, b"a guess"))
    first = len(PRINCIPALS) // 4
    assert len(set(ours[:first]) & set(theirs[:first])) < 1.25 * first / 4


def test_places_are_not_changed_all_at_once():
    changes = [
        sum(
            place_of(each, 1_800_000_000 + s, SECRET) != place_of(each, 1_800_000_000 + s + 60, SECRET)
            for each in PRINCIPALS
        )
        for s in range(0, EPOCH_S, 60)
    ]
    assert sum(changes) == len(PRINCIPALS)
    assert max(changes) < 2 * len(PRINCIPALS) * 60 / EPOCH_S


@given(demands, st.floats(0.01, 3000), st.floats(0, 1000))
def test_what_chance_may_have_made_is_no_pressure(demand, room, doubt):
    pressure, sure = pressure_of(demand, room, doubt), pressure_of(demand, room)
    assert pressure <= sure
    excess = sum(demand) - room
    if excess <= doubt:
        assert pressure == 0
    if excess >= 2 * doubt:
        assert pressure == sure


@given(pressures, st.lists(st.floats(0.001, 0.2), min_size=1, max_size=60))
def test_a_pressure_falls_bit_by_bit_and_is_gone_in_a_moment(began, steps):
    falling, now_s, lifted_s = Falling().to(began, 0.0), 0.0, 0.0
    for step_s in steps:
        now_s, before = now_s + step_s, falling.pressure
        falling = falling.to(0.0, now_s)
        assert before - step_s * FALLS_PER_S - 1e-9 <= falling.pressure <= before
        if falling.pressure > 0.4:
            lifted_s = now_s
        if began > 0.4 and now_s - lifted_s < WAITS_S:
            assert falling.pressure >= 0.4, "the least critical waits"
    assert falling.to(0.0, now_s + 1).to(0.0, now_s + 2).to(0.0, now_s + 3).pressure == 0


@given(pressures, pressures, st.floats(0, 10))
def test_a_pressure_rises_at_once(one, other, elapsed_s):
    low, high = sorted((one, other))
    assert Falling().to(low, 0.0).to(high, elapsed_s).pressure == high


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
