"""What is no demand: floods that are limited, late or unrouted, and a client that sends its body."""

from contextlib import ExitStack

import pytest

from tests.unit.shedding_rig import PRINCIPALS, Rig, request
from tidegate import Caller, Concurrency, LeakyBucket, Policy, Quota, SlidingWindow, TokenBucket
from tidegate.routing import UNMATCHED, RoutePolicy
from tidegate.shedding.pressure import Demand


def test_what_is_limited_after_all_is_no_demand():
    rig = Rig(capacity=100)
    rig.learn(1)
    before = rig.view.fleet.normal
    for _ in range(50):
        rig.enter().leave(ran=False)
    assert rig.view.fleet.normal == pytest.approx(before)


def test_what_has_not_run_here_stands_for_no_demand():
    rig = Rig(capacity=1)
    rig.learn(2, "critical")
    for each in PRINCIPALS[:50]:
        rig.view.unmeasured("sheddable")
        assert rig.enter("sheddable", each).refusal() is None
    assert rig.view.fleet.sheddable == 0


ONE_MS = {"tidegate-timeout-ms": "1"}


def test_a_flood_that_leaves_no_time_is_no_demand():
    rig = Rig(capacity=1)
    rig.learn(0.1, "critical")
    for i in range(500):
        assert rig.enter("critical", f"key:{i}", headers=ONE_MS).decision.pressed_by == "deadline"
        rig.clock.advance(0.002)
    assert rig.all_refused() == [0, 0, 0]


def test_a_flood_that_is_limited_is_no_demand():
    rig = Rig(capacity=1)
    rig.learn(0.1, "critical")
    for _ in range(500):
        visit = rig.enter("critical", "key:flood")
        rig.clock.advance(0.002)
        visit.leave(ran=False)
    assert rig.all_refused() == [0, 0, 0]


LIMITS = [
    TokenBucket("10/min", burst=5),
    SlidingWindow("10/min"),
    LeakyBucket("10/min", max_wait="10s"),
    Quota("10/day"),
    Concurrency(1),
    TokenBucket("10/min", burst=5, per="ip"),
    TokenBucket("10/min", burst=5, per="route"),
    TokenBucket("10/min", burst=5, per="organisation"),
]


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: f"{type(limit).__name__} per {limit.per}")
@pytest.mark.parametrize("environments", [1, 10])
def test_what_is_shed_beyond_its_callers_limits_is_no_demand(limit, environments):
    rig = Rig(environments, capacity=1)
    rig.routes["critical"] = RoutePolicy("/limited", "GET", Policy(priority="critical", limits=(limit,)))
    rig.learn(0.5, "critical")
    flood = Caller("ip:192.0.2.1", organisation="flood")
    for _ in range(1000):
        rig.overload("critical")
        visit = rig.shedder.enter(request(), rig.routes["critical"], flood)
        assert visit.refusal()
        visit.leave(ran=False)
        rig.clock.advance(0.001)
    _, unmeasured, _ = rig.report()
    assert unmeasured <= 15


def test_what_matches_no_route_is_no_demand_when_it_is_shed():
    rig = Rig(capacity=1)
    rig.routes["normal"] = RoutePolicy(UNMATCHED, UNMATCHED, Policy())
    rig.learn(0.1)
    rig.report()
    rig.overload("normal")
    assert [rig.enter().refusal() is None for _ in range(100)] == [False] * 100
    assert rig.report() == (0, 0, 0)


def test_a_limit_that_only_reports_holds_no_demand_back():
    rig = Rig(capacity=1)
    shadow = TokenBucket("1/min", burst=1, shadow=True)
    rig.routes["normal"] = RoutePolicy("/a", "GET", Policy(limits=(shadow,)))
    rig.overload("normal")
    for _ in range(100):
        rig.enter()
    assert rig.report()[1] == 100


def test_a_slow_upload_is_no_demand_no_place_taken_and_no_long_run():
    rig = Rig(capacity=2, concurrency=4)
    rig.learn(0.01)
    uploads = [rig.enter("normal", each) for each in PRINCIPALS]
    with ExitStack() as waiting:
        for visit in uploads:
            waiting.enter_context(visit.waiting())
        for _ in range(20):
            rig.clock.advance(1)
            assert rig.all_refused() == [0, 0, 0]
    for visit in uploads:
        visit.leave(ran=True)
    assert rig.view.fleet == Demand()
    assert rig.enter(headers={"tidegate-timeout-ms": "100"}).refusal() is None
