"""What counts as demand of the fleet, and what is refused of a demand beyond its room."""

import pytest

from tests.unit.shedding_rig import PRINCIPALS, Rig, request
from tidegate import Caller
from tidegate.shedding.demand import COUNTED_S, SLOT_S
from tidegate.shedding.fleet_demand import BELIEVED_S, FRESH_S, OUTWEIGHS_S, REPORTS_PER_S, DemandView
from tidegate.shedding.pressure import Demand
from tidegate.shedding.signals import arrival
from tidegate.testing import FakeClock


@pytest.mark.parametrize(
    ("demand", "shares"),
    [
        (Demand(1, 3, 5), [0, 0, 0]),
        (Demand(1, 3, 10), [0, 0, 0.5]),
        (Demand(1, 10, 10), [0, 0.2, 1]),
        (Demand(12, 10, 10), [0.25, 1, 1]),
    ],
)
def test_what_the_fleet_demands_beyond_its_room_is_refused(demand, shares):
    rig = Rig(capacity=10, shed_in_flight=0.9)
    rig.view.heard(demand)
    assert rig.all_refused() == pytest.approx(shares, abs=0.08)


def test_a_principal_is_refused_or_not_however_often_it_asks():
    rig = Rig(capacity=10)
    rig.view.heard(Demand(1, 3, 10))
    told = {each: {rig.enter("sheddable", each).refusal() is None for _ in range(5)} for each in PRINCIPALS[:50]}
    assert {len(answers) for answers in told.values()} == {1}
    assert {True, False} == set().union(*told.values())


def test_alone_it_takes_its_own_demand_for_a_share_of_the_fleets():
    """Four environments, each busy for half of the time by what can wait, want 2 of the 1 that there is room for."""
    rig = Rig(environments=4, capacity=1, shed_in_flight=1)
    for _ in range(60):
        visit = rig.enter("sheddable", "key:none-in-particular")
        rig.clock.advance(0.1)
        visit.leave(ran=True)
        rig.clock.advance(0.1)
    assert rig.view.fleet.sheddable == pytest.approx(2, rel=0.1)
    asked = arrival(request(), "sheddable", Caller("key:1"), rig.clock.wall_us())
    decision = rig.shedder.decide(asked, rig.routes["sheddable"], rig.clock.wall_us(), rig.clock.monotonic())
    assert decision.pressure == pytest.approx(0.2, abs=0.04), "half of what is sheddable"
    assert decision.pressed_by == "demand"


def test_one_environments_guess_does_not_outweigh_what_was_just_heard():
    rig = Rig(environments=100, capacity=100)
    rig.learn(0.3)
    rig.view.heard(Demand(0, 20, 0))
    rig.clock.advance(0.4)
    for _ in range(2):
        rig.run(0.35)
    assert rig.view.fleet == Demand(0, 20, 0)
    rig.clock.advance(OUTWEIGHS_S)
    rig.run(0.3)
    assert rig.view.fleet.normal == pytest.approx(100 * 0.3 / COUNTED_S), "Redis is away"


def test_what_was_heard_counts_for_a_while():
    rig = Rig(capacity=10)
    rig.view.heard(Demand(0, 0, 90))
    assert rig.view.fleet == Demand(0, 0, 90)
    rig.clock.advance(BELIEVED_S)
    assert rig.view.fleet == Demand()


@pytest.mark.parametrize("seconds", [2, 60])
def test_a_routes_first_run_in_an_environment_is_no_demand(seconds):
    rig = Rig(capacity=1)
    for each in rig.routes:
        rig.run(seconds, each)
    assert rig.view.fleet == Demand()
    assert rig.report()[0] == 0


def test_runs_that_begin_before_the_first_has_ended_are_starts_too():
    rig = Rig(capacity=1)
    starting = [rig.enter() for _ in range(18)]
    rig.clock.advance(2)
    for visit in starting:
        visit.leave(ran=True)
    assert rig.view.fleet == Demand()


def test_a_first_run_without_an_end_hides_nothing_for_long():
    rig = Rig(capacity=1)
    rig.enter()
    rig.clock.advance(11)
    others = [rig.enter() for _ in range(5)]
    rig.clock.advance(2)
    assert rig.view.fleet.normal == pytest.approx(5)
    for visit in others:
        visit.leave(ran=True)


def test_long_runs_count_while_they_run_and_no_longer():
    rig = Rig(capacity=100)
    rig.learn(0.01)
    running = [rig.enter() for _ in range(8)]
    for _ in range(10):
        rig.clock.advance(1)
        assert rig.view.fleet.normal <= 8.1
    assert rig.view.fleet.normal == pytest.approx(8)
    for visit in running:
        visit.leave(ran=True)
    rig.clock.advance(COUNTED_S + SLOT_S)
    assert rig.view.fleet == Demand()


def test_a_handler_that_fails_has_worked_all_the_same():
    rig = Rig(capacity=1)
    rig.learn(0.1)
    visit = rig.enter()
    rig.clock.advance(1)
    visit.leave(ran=False, failed=True)
    assert rig.view.fleet.normal == pytest.approx((0.1 + 1 + 0.55) / COUNTED_S), (
        "the start is taken for one like these two"
    )


def test_a_report_is_due_every_tenth_of_a_second_and_tells_everything_once():
    rig = Rig(capacity=1)
    rig.learn(0.3)
    assert rig.report() == (pytest.approx(0.3), 1, 1)
    assert rig.view.due() is None
    assert rig.report() == (0, 0, 0)


def test_a_large_fleet_reports_at_random_and_more_rarely():
    clock = FakeClock()
    waits = set()
    for _ in range(40):
        view = DemandView(clock, lambda: 10_000)
        view.due()
        waited = 0
        while view.due() is None:
            clock.advance(0.25)
            waited += 1
        waits.add(waited)
    mean_s = 10_000 / REPORTS_PER_S
    assert 0.5 * mean_s <= min(waits) / 4 < 0.75 * mean_s
    assert 1.25 * mean_s < max(waits) / 4 <= 1.5 * mean_s + 0.25


def test_requests_after_a_silence_are_reported_without_their_durations():
    rig = Rig(capacity=1)
    for _ in range(4):
        rig.run(5)
    rig.clock.advance(3 * FRESH_S)
    rig.enter().leave(ran=False)
    assert rig.report() == (0, 1, 0)


def test_what_an_upload_takes_besides_counts():
    rig = Rig(capacity=2)
    rig.learn(0.01)
    visit = rig.enter()
    rig.clock.advance(0.3)
    with visit.waiting():
        rig.clock.advance(0.3)
    rig.clock.advance(0.3)
    visit.leave(ran=True)
    assert rig.view.fleet.normal == pytest.approx((0.01 + 0.6 + 0.305) / COUNTED_S), "with the start"


def test_what_is_shed_counts_as_one_more_like_those_that_ran():
    rig = Rig(capacity=1, shed_in_flight=1)
    rig.learn(0.2, "sheddable")
    rig.overload("sheddable")
    shed = [each for each in PRINCIPALS[:20] if rig.enter("sheddable", each).refusal()]
    assert len(shed) == 20
    rig.clock.advance(1.01 * BELIEVED_S)
    assert rig.view.fleet.sheddable == pytest.approx(22 * 0.2 / COUNTED_S, rel=0.05), "one ran, one was a start"
