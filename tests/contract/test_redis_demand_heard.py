"""Each environment hears what came to all, on one node and on several."""

import pytest

from tests.contract.places import close
from tidegate.limits.token_bucket import Bucket
from tidegate.messages import Charge, Question
from tidegate.shedding.demand import COUNTED_S
from tidegate.shedding.fleet_demand import REPORT_EVERY_S, DemandView
from tidegate.shedding.in_redis import DemandRider
from tidegate.stores.redis.store import RedisStore
from tidegate.testing import FakeClock

RUNS_ON = ["redis", "redis-sharded", "valkey", "redis-py"]

QUESTION = Question("subject", (Charge("a", Bucket(1000, 1000)),))


@pytest.fixture
def environments(place):
    """Two environments with their views; no clock moves but by the test."""
    clock = FakeClock()
    views = [DemandView(clock, lambda: 2) for _ in range(2)]
    target = place.target()
    stores = [
        RedisStore(target, "contract", str(i), clock, [DemandRider(view, "contract")]) for i, view in enumerate(views)
    ]
    yield clock, views, stores
    for store in stores:
        close(store)


def test_each_environment_hears_what_ran_in_all(environments):
    clock, (one, other), (first, second) = environments
    for view, criticality, seconds in ((one, "critical", 0.4), (other, "sheddable", 0.2)):
        view.begins(criticality)
        clock.advance(seconds)
        view.ended(criticality, seconds)
    first.admit(QUESTION)
    second.admit(QUESTION)
    assert other.fleet.critical == pytest.approx(0.4 / COUNTED_S, rel=0.2)
    assert other.fleet.sheddable == pytest.approx(0.2 / COUNTED_S, rel=0.2)
    clock.advance(2 * REPORT_EVERY_S)
    one.unmeasured("sheddable")
    first.admit(QUESTION)
    assert one.fleet.sheddable == pytest.approx(0.4 / COUNTED_S, rel=0.2), "one refused is as one that ran elsewhere"
