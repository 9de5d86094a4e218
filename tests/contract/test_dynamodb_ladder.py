"""DynamoDB as the fallback, on a real engine: its clock, its count of the fleet, its leases, and shadow decisions."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest

from tests.harness.inline_background import InlineBackground
from tidegate.clock import SystemClock
from tidegate.decision import Rule
from tidegate.failover.fallback import Fallback, FallbackPlace, fallback
from tidegate.limits.quota import Period
from tidegate.limits.sliding_window import Window
from tidegate.limits.sliding_window_counter import WindowCounter
from tidegate.limits.token_bucket import Bucket
from tidegate.messages import Answer, Charge, Fleet, Question
from tidegate.stores.dynamodb.clock import ReferenceClock
from tidegate.stores.dynamodb.fleet import FleetCounter, FleetTable
from tidegate.stores.fleet import FleetView
from tidegate.stores.redis.outage import OutageTimer

RUNS_ON = ["dynamodb"]

BUCKET = Bucket(interval_us=1_000_000, burst=10)
HOT = Bucket(interval_us=1_000, burst=1_000)


@dataclass
class Lost:
    """One environment that has lost Redis."""

    fallback: Fallback
    away: OutageTimer
    view: FleetView

    def spend(self, rule: Rule = BUCKET, subject: str = "subject") -> int:
        admitted = 0
        while self.ask(rule, subject).admitted:
            admitted += 1
        return admitted

    def ask(self, rule: Rule = BUCKET, subject: str = "subject") -> Answer:
        return self.fallback.handle.ask(lambda store: store.admit(Question(subject, (Charge("limit", rule),))))


@pytest.fixture
def lost(place, clock):
    """Makes environments of a fleet of so many."""

    def make(environments: int = 1, rank: int = 0) -> Lost:
        away, view = OutageTimer(clock), FleetView(clock, Fleet(environments, rank))
        away.failed()
        table = FleetTable(place.dynamo_client(), place.table, "contract")
        return Lost(fallback(FallbackPlace(table, 20, clock, clock, 1.0), away, view, InlineBackground()), away, view)

    return make


def test_it_begins_with_one_token_and_refills_while_the_fleet_is_on_it(lost, clock):
    one = lost()
    assert one.spend() == 1
    clock.advance(3)
    assert one.spend() == 3


def test_a_clock_corrected_after_its_arrival_loses_only_what_it_was_ahead(lost, clock):
    one = lost()
    assert one.spend() == 1
    clock._wall_us -= 300_000
    clock.advance(3)
    assert one.spend() == 2


def test_a_refused_request_buys_what_is_due_but_not_at_every_moment(lost, clock):
    clock.advance(60)
    one, quick = lost(), Bucket(interval_us=10_000, burst=10)
    assert one.ask(quick).admitted
    for passed, admitted in ((0.015, True), (0.015, False), (0.01, True)):
        clock.advance(passed)
        assert one.ask(quick).admitted is admitted


@pytest.mark.parametrize("per_s", [1, 10, 50, 100])
def test_who_uses_half_of_his_limit_is_never_refused(lost, clock, per_s):
    clock.advance(60)
    one, limit = lost(), Bucket(interval_us=1_000_000 // per_s, burst=100)
    for _ in range(100):
        assert one.ask(limit).admitted
        clock.advance(2 / per_s)


@pytest.mark.parametrize(("environments", "at_once"), [(10, True), (1_000, False)])
def test_a_large_fleet_doesnt_buy_all_at_once(lost, clock, monkeypatch, environments, at_once):
    monkeypatch.setattr(random, "random", lambda: 0.5)
    clock.advance(60)
    one, quick = lost(environments), Bucket(interval_us=10, burst=10)
    assert one.spend(quick) == 1
    clock.advance(0.1)
    assert one.ask(quick).admitted is at_once


@pytest.mark.parametrize("kind", [Window, WindowCounter])
def test_a_window_that_it_doesnt_know_comes_free_while_it_is_on_it(lost, clock, kind):
    """It was used up at an even pace before: none at first, the half after half a window, and then all of it."""
    one, window = lost(), kind(60_000, 28)
    assert one.spend(window) == 0
    clock.advance(31)
    assert 12 <= one.spend(window) <= 15
    clock.advance(65)
    assert one.spend(window) >= 13
    clock.advance(130)
    assert one.spend(window) == 28


def test_a_quota_that_it_doesnt_know_is_used_as_far_as_its_day_is_gone(lost, clock):
    one, began = lost(), clock.wall_us()
    day = Period(began - 8 * 3_600_000_000, began + 16 * 3_600_000_000, 24)
    assert one.ask(day, "else").admitted
    clock.advance(3600)
    assert one.spend(day) == 16


def test_its_clock_stands_still_while_redis_decides(lost, clock):
    one = lost()
    one.spend()
    one.away.returned()
    clock.advance(300)
    one.away.failed()
    assert one.spend() == 0
    clock.advance(1)
    assert one.spend() == 1


def test_a_lost_connection_slows_the_clock_by_one_environments_share(lost, clock):
    one = lost()
    one.view.heard(Fleet(10, 0))  # by Redis, a moment ago
    one.spend()
    for _ in range(20):
        clock.advance(1)
        one.ask(subject="else")
    assert one.spend() == 2


def test_a_fleet_makes_it_go_at_full_speed_together(lost, clock):
    fleet = [lost(environments=4, rank=rank) for rank in range(4)]
    admitted = 0
    for _ in range(100):
        admitted += sum(one.spend() for one in fleet)
        clock.advance(0.1)
    assert 8 <= admitted <= 11


def test_who_comes_later_brings_nobody_a_burst(lost, clock):
    early = lost(environments=2)
    early.ask(subject="else")
    for _ in range(20):
        clock.advance(1)
        early.ask(subject="else")
    assert lost(environments=2, rank=1).spend() == 1


def test_it_is_known_how_long_the_fleet_is_away_already(lost, clock):
    lost(environments=2).ask()
    clock.advance(10)
    late = lost(environments=2, rank=1)
    late.ask()
    assert late.away.report.away_us == 10_000_000


def test_the_fleet_is_counted(place, clock):
    table = FleetTable(place.dynamo_client(), place.table, "contract")
    views = [FleetView(clock, Fleet()) for _ in range(3)]
    counters = [FleetCounter(table, clock, view) for view in views]
    for _ in range(2):
        for counter in counters:
            assert counter.due
            counter.beat()
        clock.advance(5)
    assert [view.fleet for view in views] == [Fleet(3, 0), Fleet(3, 1), Fleet(3, 2)]


@pytest.mark.parametrize(("drawn", "counted"), [(0, 10), (1, 0), (9, 0)])
def test_of_a_large_fleet_some_are_drawn_to_stand_for_all(place, clock, dynamo, monkeypatch, drawn, counted):
    monkeypatch.setattr(random, "randrange", lambda below: min(drawn, below - 1))
    view = FleetView(clock, Fleet(10_000, 7))
    counter = FleetCounter(FleetTable(place.dynamo_client(), place.table, "contract"), clock, view)
    counter.beat()
    assert not counter.due
    items = [item for item in dynamo.items(place.table) if item["pk"]["S"] == "fleet#contract"]
    assert sum(int(item["n"]["N"]) for item in items) == counted
    assert view.fleet.environments == 10_000


def test_a_hot_key_is_leased_and_what_isnt_spent_is_given_back(lost, clock, dynamo, place):
    one = lost()
    for _ in range(500):
        clock.advance(0.01)
        one.ask(HOT)
    [item] = [item for item in dynamo.items(place.table) if item["pk"]["S"] == "fallback#subject"]
    leased_until = int(item["limit"]["N"])
    assert sum(lease.left for lease in one.fallback.leases._leases.values()) > 0
    one.fallback.leases.give_back()
    [item] = [item for item in dynamo.items(place.table) if item["pk"]["S"] == "fallback#subject"]
    assert int(item["limit"]["N"]) < leased_until
    assert sum(lease.left for lease in one.fallback.leases._leases.values()) == 0


@pytest.mark.parametrize(("debt_us", "admitted"), [(0, True), (9_000_000, True), (9_500_000, False)])
def test_a_shadow_decision_agrees_and_charges_no_fallback_bucket(lost, dynamo, place, debt_us, admitted):
    one = lost()
    question = Question("subject", (Charge("limit", BUCKET),))
    decided = question.charges[0].decide((debt_us,) if debt_us else None, 0)
    answer = Answer(admitted, (decided.state(charged=admitted),), None, "redis")
    assert decided.allowed is admitted
    one.fallback.shadow.watch(question, answer)
    assert (one.fallback.shadow.counts.asked, one.fallback.shadow.counts.differed) == (1, 0)
    assert {item["pk"]["S"] for item in dynamo.items(place.table)} <= {"shadow#subject"}


def test_a_shadow_decision_that_differs_is_counted_and_shown(lost):
    one = lost()
    question = Question("subject", (Charge("limit", BUCKET),))
    state = question.charges[0].decide(None, 0).uncharged._replace(allowed=False, debt_us=0)
    one.fallback.shadow.watch(question, Answer(admitted=False, limits=(state,), claim=None, store="redis"))
    shown = one.fallback.handle.state.shadow
    assert shown is not None
    assert (shown.asked, shown.failed, shown.differed) == (1, 0, 1)


def test_environments_whose_clocks_differ_have_a_time_in_common(place):
    class Skewed(SystemClock):
        def __init__(self, skew_s: float) -> None:
            self._skew_us = int(skew_s * 1_000_000)

        def wall_us(self) -> int:
            return super().wall_us() + self._skew_us

    clocks = [ReferenceClock(Skewed(skew_s)) for skew_s in (-5.0, 0.0, 5.0)]
    for clock in clocks:
        client = place.dynamo_client(listener=clock)
        client.call("GetItem", TableName=place.table, Key={"pk": {"S": "nothing"}})
    told = [clock.wall_us() for clock in clocks]
    assert max(told) - min(told) < 1_500_000
