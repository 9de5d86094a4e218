"""What can't be done before the client or Lambda gives up is refused, whatever its criticality."""

import pytest

from tests.harness.lambda_events import LambdaContext
from tests.unit.shedding_rig import Rig
from tidegate import Caller


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


@pytest.mark.parametrize(
    "said", ["", " ", "-1", "1.5", "1e3", "²", "1 2", "+5", "0x10", "9" * 16, "9" * 4000, "\x00", "nan"]
)
def test_an_odd_timeout_is_none(said):
    rig = Rig()
    rig.learn(2)
    scope = {"type": "http", "method": "GET", "headers": [(b"tidegate-timeout-ms", said.encode("latin-1"))]}
    assert rig.shedder.enter(scope, rig.routes["normal"], Caller("key:1")).refusal() is None
