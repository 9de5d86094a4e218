"""What one environment refuses, by each signal; time stands still unless moved."""

import pytest

from tests.harness.lambda_events import LambdaContext
from tidegate import Caller, Policy, Settings
from tidegate.algorithms.shedding import Demand
from tidegate.identity import Identifier
from tidegate.mechanisms.arrival import arrival
from tidegate.mechanisms.shedding import Shedder
from tidegate.routing import RoutePolicy
from tidegate.stores.demand import BELIEVED_S, REPORT_EVERY_S, DemandView
from tidegate.testing import FakeClock

PRINCIPALS = [f"key:{i}" for i in range(200)]


def request(*, waited_s=None, headers=(), clock=None, context=None):
    scope = {"type": "http", "method": "GET", "headers": [(n.encode(), v.encode()) for n, v in dict(headers).items()]}
    if waited_s is not None:
        now_ms = clock.wall_us() / 1000
        scope["aws.event"] = {"requestContext": {"requestTimeEpoch": now_ms - waited_s * 1000}}
    return scope if context is None else scope | {"aws.context": context}


class Rig:
    """One environment's shedder, and a route of each criticality."""

    def __init__(self, environments=1, **settings):
        self.clock = FakeClock()
        self.view = DemandView(self.clock, lambda: environments) if settings.get("capacity") else None
        self.shedder = Shedder(Settings(memory_only=True, **settings), self.clock, self.view)
        self.routes = {each: RoutePolicy(f"/{each}", "GET", Policy(priority=each)) for each in ("critical", "normal")}
        self.routes["sheddable"] = RoutePolicy("/sheddable", "GET", Policy(priority="sheddable"))

    def enter(self, criticality="normal", principal="key:1", **scope):
        return self.shedder.enter(request(clock=self.clock, **scope), self.routes[criticality], Caller(principal))

    def run(self, seconds, criticality="normal", **rest):
        visit = self.enter(criticality, **rest)
        self.clock.advance(seconds)
        visit.leave(ran=True)
        return visit

    def learn(self, seconds, criticality="normal"):
        """Know a route: its first run doesn't count."""
        for _ in range(2):
            self.run(seconds, criticality)

    def refused(self, criticality, **scope):
        """The share of principals that is refused now."""
        refused = 0
        for principal in PRINCIPALS:
            visit = self.enter(criticality, principal, **scope)
            refused += visit.refusal() is not None
            visit.leave(ran=False)
        return refused / len(PRINCIPALS)

    def all_refused(self, **scope):
        return [round(self.refused(each, **scope), 2) for each in ("critical", "normal", "sheddable")]


def test_without_a_signal_nothing_is_refused():
    rig = Rig()
    assert rig.all_refused() == [0, 0, 0]
    assert rig.enter().decision.pressed_by is None


# ── waiting ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_longer_a_request_has_waited_the_more_are_refused_the_least_critical_first():
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


# ── demand ──────────────────────────────────────────────────────────────────────────────────────────────────


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


def test_what_was_heard_counts_for_a_while():
    rig = Rig(capacity=10)
    rig.view.heard(Demand(0, 0, 90))
    assert rig.view.fleet == Demand(0, 0, 90)
    rig.clock.advance(BELIEVED_S)
    assert rig.view.fleet == Demand()


def test_what_is_limited_after_all_is_no_demand():
    rig = Rig(capacity=1)
    rig.learn(1)
    before = rig.view.fleet.normal
    for _ in range(50):
        rig.enter().leave(ran=False)
    assert rig.view.fleet.normal == pytest.approx(before)


def test_what_is_shed_stays_demand():
    rig = Rig(capacity=1, shed_in_flight=1)
    rig.learn(1, "sheddable")
    rig.view.heard(Demand(0, 0, 1000))
    before = rig.view.due().work.sheddable
    rig.clock.advance(REPORT_EVERY_S)
    shed = [each for each in PRINCIPALS[:20] if rig.enter("sheddable", each).refusal()]
    assert len(shed) > 15
    assert rig.view.due().work.sheddable == pytest.approx(20, rel=0.01)
    assert before == pytest.approx(2)


def test_a_route_that_has_not_run_here_is_taken_for_one_like_the_others():
    rig = Rig(capacity=1)
    rig.learn(2, "critical")
    rig.view.due()
    rig.clock.advance(2 * REPORT_EVERY_S)
    rig.enter("sheddable")
    assert rig.view.due().work.sheddable == pytest.approx(2)


def test_a_report_is_due_every_tenth_of_a_second_and_tells_everything_once():
    rig = Rig(capacity=1)
    rig.run(1)
    assert rig.view.due().work == Demand(0, pytest.approx(1), 0)
    assert rig.view.due() is None
    rig.clock.advance(REPORT_EVERY_S)
    assert rig.view.due().work == Demand()


def test_long_runs_are_averaged_for_longer():
    rig = Rig(capacity=1)
    assert rig.view.due().window_s == 2
    rig.run(10)
    assert rig.view.due().window_s == 40


# ── concurrency, latencies ──────────────────────────────────────────────────────────────────────────────────


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
def test_a_dependency_that_gets_slow_sheds_what_is_not_critical_until_it_is_forgotten(dependency):
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


# ── deadlines ───────────────────────────────────────────────────────────────────────────────────────────────


def test_what_cannot_be_done_in_time_is_refused_whatever_it_is():
    rig = Rig()
    rig.learn(2, "critical")
    assert rig.enter("critical", headers={"tidegate-timeout-ms": "3000"}).refusal() is None
    late = rig.enter("critical", headers={"tidegate-timeout-ms": "1500"})
    assert late.refusal().status == 503
    assert late.decision.pressed_by == "deadline"
    assert rig.enter("normal", headers={"tidegate-timeout-ms": "1500"}).refusal() is None, "not known yet"


def test_a_clients_time_runs_since_the_gateway_has_its_request():
    rig = Rig(shed_wait_ms=(60_000, 60_001))
    rig.learn(1)
    timeout = {"tidegate-timeout-ms": "3000"}
    assert rig.enter(headers=timeout, waited_s=1.5).refusal() is None
    assert rig.enter(headers=timeout, waited_s=2.5).refusal() is not None


def test_lambdas_deadline_counts_as_well():
    rig = Rig()
    rig.learn(1)
    assert rig.enter(context=LambdaContext(timeout_ms=5000)).refusal() is None
    assert rig.enter(context=LambdaContext(timeout_ms=500)).refusal() is not None


def test_a_route_that_was_slow_is_tried_again():
    rig = Rig()
    rig.learn(8)
    timeout = {"tidegate-timeout-ms": "5000"}
    assert rig.enter(headers=timeout).refusal() is not None
    rig.clock.advance(10)
    assert rig.enter(headers=timeout).refusal() is None


def test_clients_that_ask_again_and_again_keep_nothing_refused_for_longer():
    rig = Rig(capacity=10)
    rig.learn(8)
    timeout = {"tidegate-timeout-ms": "5000"}
    for _ in range(6):
        assert rig.enter(headers=timeout).refusal() is not None
        rig.clock.advance(1)
    rig.clock.advance(4)
    assert rig.enter(headers=timeout).refusal() is None


def test_a_routes_first_run_in_an_environment_is_not_what_it_takes():
    rig = Rig()
    rig.run(8)
    assert rig.enter(headers={"tidegate-timeout-ms": "5000"}).refusal() is None


def test_no_time_left_needs_no_experience():
    assert Rig().enter(headers={"tidegate-timeout-ms": "0"}).refusal() is not None


# ── modes, claims ───────────────────────────────────────────────────────────────────────────────────────────


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
