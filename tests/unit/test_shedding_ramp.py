"""A storm comes and goes, in virtual time: the pressure rises and falls without flapping."""

from itertools import pairwise

import pytest

from tidegate import Caller, Policy, Settings
from tidegate.mechanisms.shedding import Shedder
from tidegate.routing import RoutePolicy
from tidegate.stores.demand import DemandView
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
        self.shedder = Shedder(Settings(memory_only=True, capacity=capacity), self.clock, self.view)
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
        visit = self.shedder.enter({"headers": []}, ROUTES[criticality], Caller(principal))
        self.pressures.append((now, visit.decision.pressure))
        self.told.append((now, principal, criticality, visit.decision.refused))
        if not visit.decision.refused:
            self.running.append((now + self.run_s, visit))


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


def test_runs_that_were_slow_at_the_start_do_not_shed_a_calm_moment_for_long():
    """Who is refused tells nothing of how long it would take: what was learnt while all started at once must fade."""
    fleet, started_s = Fleet(run_s=5, environments=12, capacity=3), 30
    fleet.run(started_s, 25 / 12)
    fleet.run_s = 0.02
    fleet.run(150, 8 / 12)
    assert max(between(fleet, started_s, started_s + 10)) > 0.8
    assert set(between(fleet, started_s + 110, 1e9)) == {0}
