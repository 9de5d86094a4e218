"""What one environment refuses, by each signal but demand and deadlines; time stands still unless moved."""

import pytest

from tests.unit.shedding_rig import Rig, request
from tidegate import (
    Caller,
    Settings,
)
from tidegate.identity.caller import Identifier
from tidegate.shedding.signals import arrival


def test_without_a_signal_nothing_is_refused():
    rig = Rig()
    assert rig.all_refused() == [0, 0, 0]
    assert rig.enter().decision.pressed_by is None


def test_longer_waits_refuse_more_requests_the_least_critical_first():
    rig = Rig(shed_wait_ms=(100, 500))
    rig.run(0.01)
    shares = [rig.all_refused(waited_s=waited) for waited in (0.1, 0.2, 0.3, 0.4, 0.5, 60)]
    assert [critical for critical, _, _ in shares] == [0] * 6
    assert [sheddable for _, _, sheddable in shares] == pytest.approx([0, 0.5, 1, 1, 1, 1], abs=0.1)
    assert [normal for _, normal, _ in shares] == pytest.approx([0, 0, 0, 0.5, 1, 1], abs=0.1)
    visit = rig.enter("sheddable", waited_s=60)
    assert (visit.decision.pressed_by, visit.decision.pressure) == ("wait", 0.8)


def test_a_cold_start_is_not_taken_for_a_wait():
    rig = Rig(shed_wait_ms=(100, 500))
    assert rig.enter("sheddable", waited_s=3).refusal() is None
    assert rig.enter("sheddable", waited_s=3).refusal() is not None


def test_a_gateway_whose_clock_is_ahead_is_no_wait():
    rig = Rig(shed_wait_ms=(100, 500))
    rig.run(0.01)
    assert rig.all_refused(waited_s=-5) == [0, 0, 0]


def test_a_server_keeps_its_last_places_for_the_critical():
    rig = Rig(concurrency=10, shed_in_flight=0.5)  # the pressure of 7 in flight is (7 - 5) / (10 - 5)
    running, shares = [], {}
    for count in range(11):
        shares[count] = rig.all_refused()
        running.append(rig.enter("critical"))
    assert shares[5] == [0, 0, 0]
    assert shares[7] == [0, 0, 1]
    assert shares[8] == pytest.approx([0, 0.5, 1], abs=0.08)
    assert shares[9] == [0, 1, 1]
    assert shares[10] == [1, 1, 1]
    for visit in running:
        visit.leave(ran=True)
    assert rig.all_refused() == [0, 0, 0]


@pytest.mark.parametrize("dependency", ["store", "database"])
def test_a_slow_dependency_sheds_the_uncritical_until_it_is_forgotten(dependency):
    rig = Rig(shed_store_ms=(100, 500), shed_database_ms=(100, 500))
    for _ in range(50):
        rig.shedder.observe(dependency, 1000)
    assert rig.all_refused() == [0, 1, 1]
    assert rig.enter("sheddable").decision.pressed_by == dependency
    rig.clock.advance(60)
    assert rig.all_refused() == [0, 0, 0]


def test_one_slow_call_is_no_slow_dependency():
    rig = Rig(shed_database_ms=(250, 2500))
    rig.shedder.observe("database", 2000)
    assert rig.all_refused() == [0, 0, 0], "the first of all"
    for _ in range(20):
        rig.shedder.observe("database", 5)
    rig.shedder.observe("database", 2000)
    assert rig.all_refused() == [0, 0, 0]


def test_what_has_no_threshold_counts_for_nothing():
    rig = Rig()
    rig.shedder.observe("the weather", 1e9)
    assert rig.all_refused() == [0, 0, 0]


@pytest.mark.parametrize("epoch", [True, -1, 0, "now", None, [], float("nan"), float("inf"), -float("inf"), 10**400])
def test_an_odd_time_of_arrival_is_none(epoch):
    rig = Rig(shed_wait_ms=(100, 500))
    rig.run(0.01)
    scope = request() | {"aws.event": {"requestContext": {"requestTimeEpoch": epoch}}}
    assert rig.shedder.enter(scope, rig.routes["sheddable"], Caller("key:1")).refusal() is None


def test_a_shadow_only_tells():
    rig = Rig(shed="shadow", shed_wait_ms=(100, 500))
    rig.run(0.01)
    visit = rig.enter("sheddable", waited_s=9)
    assert visit.refusal() is None
    assert (visit.decision.refused, visit.decision.pressed_by) == (True, "wait")


def test_off_is_off():
    rig = Rig(shed="off", shed_wait_ms=(100, 500))
    rig.run(0.01)
    assert rig.enter("sheddable", waited_s=9, headers={"tidegate-timeout-ms": "0"}).decision == (False, 0, None)


def test_when_to_come_back_is_spread_and_later_under_more_pressure():
    rig = Rig(shed_wait_ms=(100, 500))
    rig.run(0.01)
    refusals = [rig.enter("sheddable", waited_s=9).refusal() for _ in range(100)]
    seconds = {int(dict(refusal.headers)[b"retry-after"]) for refusal in refusals}
    assert len(seconds) > 3
    assert min(seconds) >= 1
    assert max(seconds) <= 11


@pytest.mark.parametrize(
    ("route", "highest", "claimed", "counts"),
    [
        ("normal", None, None, "normal"),
        ("normal", None, "sheddable", "sheddable"),
        ("normal", None, "critical", "normal"),
        ("normal", "critical", "critical", "critical"),
        ("sheddable", "normal", "critical", "normal"),
        ("critical", "sheddable", "critical", "critical"),
        ("critical", "sheddable", None, "critical"),
        ("normal", "critical", None, "normal"),
        ("normal", "critical", "Critical", "normal"),
    ],
)
def test_a_caller_claims_within_what_it_may(route, highest, claimed, counts):
    headers = {"tidegate-criticality": claimed} if claimed else {}
    caller = Caller("key:1", highest=highest)
    assert arrival(request(headers=headers), route, caller, 0).criticality == counts


def test_the_authorizer_says_what_a_tier_may_claim():
    context = {"requestContext": {"authorizer": {"principalId": "ann", "criticality": "critical"}}}
    identify = Identifier(Settings(memory_only=True))
    assert identify({"headers": [], "aws.event": context}).highest == "critical"
    context["requestContext"]["authorizer"]["criticality"] = "very"
    assert identify({"headers": [], "aws.event": context}).highest is None


@pytest.mark.parametrize("waited_s", [301, 86_400, 10**9, -301, -(10**9)])
def test_what_no_gateway_can_have_waited_is_a_recorded_events(waited_s):
    rig = Rig(shed_wait_ms=(100, 500))
    rig.run(0.01)
    assert rig.all_refused(waited_s=waited_s) == [0, 0, 0]
