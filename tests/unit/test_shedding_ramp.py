"""A storm comes and goes, in virtual time: the pressure rises and falls without flapping."""

from itertools import pairwise

import pytest

from tidegate import Caller, Policy, Settings
from tidegate.routing import RoutePolicy
from tidegate.shedding.fleet_demand import DemandView
from tidegate.shedding.shedder import Shedder
from tidegate.stores.fleet_secret import FleetSecret
from tidegate.testing import FakeClock

RUN_S, CAPACITY, STEP_S = 0.2, 10, 0.004  # 50 requests a second are its capacity
BEFORE_S, STORM_S, AFTER_S = 10, 20, 20
ROUTES = {each: RoutePolicy(f"/{each}", "GET", Policy(priority=each)) for each in ("critical", "normal", "sheddable")}
MIX = (
    "sheddable",
    "normal",
    "sheddable",
    "critical",
    "sheddable",
    "normal",
    "sheddable",
    "normal",
    "sheddable",
    "normal",
)


class Fleet:
    """One shedder that stands for a fleet, under arrivals at an even pace."""

    def __init__(self, run_s=RUN_S, environments=1, capacity=CAPACITY):
        self.run_s = run_s
        self.clock = FakeClock()
        self.view = DemandView(self.clock, lambda: environments)
        self.shedder = Shedder(
            Settings(memory_only=True, capacity=capacity), self.clock, self.view, FleetSecret("hush")
        )
        self.came, self.running = 0, []
        self.pressures, self.told = [], []

    def run(self, seconds, per_second):
        owed = 0.0
        for _ in range(round(seconds / STEP_S)):
            self.clock.advance(STEP_S)
            now = self.clock.monotonic()
            while self.running and self.running[0][0] <= now:
                self.running.pop(0)[1].leave(ran=True)
            owed += per_second * STEP_S
            while owed >= 1:
                owed -= 1
                self.arrive(now)

    def arrive(self, now):
        self.came += 1
        principal, criticality = f"key:{self.came % 97}", MIX[self.came % len(MIX)]
        ticket = self.shedder.enter({"headers": []}, ROUTES[criticality], Caller(principal))
        self.pressures.append((now, ticket.decision.pressure))
        self.told.append((now, principal, criticality, ticket.decision.refused))
        if not ticket.decision.refused:
            self.running.append((now + self.run_s, ticket))


@pytest.fixture(scope="module")
def fleet():
    made = Fleet()
    made.run(BEFORE_S, 25)
    made.run(STORM_S, 250)
    made.run(AFTER_S, 25)
    return made


def between(fleet, begins, ends):
    return [pressure for now, pressure in fleet.pressures if begins <= now < ends]


def test_there_is_none_before_and_none_at_last(fleet):
    assert set(between(fleet, 0, BEFORE_S)) == {0}
    assert set(between(fleet, BEFORE_S + STORM_S + 10, 1e9)) == {0}


def test_it_settles_where_what_is_admitted_fits(fleet):
    """Of 50 that want to be in flight 5 are critical, and 4 of the 20 normal have room beside them."""
    settled = between(fleet, BEFORE_S + 12, BEFORE_S + STORM_S)
    assert min(settled) == pytest.approx(0.4 + 0.4 * 16 / 20, abs=0.01)
    assert max(settled) - min(settled) < 0.01


def test_it_rises_and_falls_in_small_steps_and_does_not_turn_round(fleet):
    rising = between(fleet, BEFORE_S, BEFORE_S + STORM_S)
    falling = between(fleet, BEFORE_S + STORM_S, 1e9)
    assert all(later - earlier > -0.005 for earlier, later in pairwise(rising))
    assert all(later - earlier < 0.005 for earlier, later in pairwise(falling))
    assert all(abs(later - earlier) < 0.1 for earlier, later in pairwise([*rising, *falling]))


def test_nobody_is_tossed_about(fleet):
    told = {}
    for now, principal, criticality, refused in fleet.told:
        if BEFORE_S + 12 <= now < BEFORE_S + STORM_S:
            told.setdefault((principal, criticality), []).append(refused)
    turns = [sum(a != b for a, b in pairwise(answers)) for answers in told.values()]
    assert max(turns) <= 2, "only those at the edge, if at all"
    assert sum(turns) <= 0.05 * len(turns)


def test_what_is_critical_is_served_all_the_time(fleet):
    assert not [one for one in fleet.told if one[2] == "critical" and one[3]]


@pytest.mark.parametrize(("slow_s", "quick_s"), [(5, 0.02), (0.5, 0.001)])
def test_what_was_slow_is_not_held_against_a_calm_moment(slow_s, quick_s):
    """Who is refused tells nothing of how long it would take: what was learnt before must go."""
    fleet, slow_for_s = Fleet(run_s=slow_s, capacity=3), max(20, 2 * slow_s)
    fleet.run(slow_for_s, 25)
    fleet.run_s = quick_s
    fleet.running = [(fleet.clock.monotonic(), ticket) for _, ticket in fleet.running]
    fleet.run(30, 8)
    assert max(between(fleet, slow_for_s - 5, slow_for_s)) > 0.5
    assert set(between(fleet, slow_for_s + 5, 1e9)) == {0}
