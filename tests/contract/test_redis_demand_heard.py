"""Each environment hears what came to all, on one node and on several."""

import pytest

from tests.contract.places import close
from tidegate.algorithms.token_bucket import Bucket
from tidegate.question import Charge, Question
from tidegate.stores.connection import RedisTarget
from tidegate.stores.demand import REPORT_EVERY_S, DemandView
from tidegate.stores.redis import RedisStore
from tidegate.testing import FakeClock

RUNS_ON = ["redis", "redis-sharded", "valkey"]

QUESTION = Question("subject", (Charge("a", Bucket(1000, 1000)),))


@pytest.fixture
def environments(place):
    """Two environments with their views; no clock moves but by the test."""
    clock = FakeClock()
    views = [DemandView(clock, lambda: 2) for _ in range(2)]
    target = RedisTarget(place.address, 20, 20, cluster=place.kind == "redis-sharded")
    stores = [RedisStore(target, "contract", str(i), clock, view) for i, view in enumerate(views)]
    yield clock, views, stores
    for store in stores:
        close(store)


def test_each_environment_hears_what_came_to_all(environments):
    clock, (one, other), (first, second) = environments
    one.came("critical", 4)
    other.came("sheddable", 6)
    first.admit(QUESTION)
    second.admit(QUESTION)
    assert other.fleet.critical == pytest.approx(2, rel=0.2), "4 s of work in a window of 2 s"
    assert other.fleet.sheddable == pytest.approx(3, rel=0.2)
    clock.advance(REPORT_EVERY_S)
    first.admit(QUESTION)
    assert one.fleet.sheddable == pytest.approx(3, rel=0.2)
