"""What the fleet's callers demand, summed up in Redis: the Lua is the Python, and it costs no round trip."""

import pytest
import redis as driver
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.places import HELD_CLOCK_KEY, close, with_held_time
from tidegate.limits.token_bucket import Bucket
from tidegate.messages import Charge, Question
from tidegate.redis_driver.node import RedisTarget
from tidegate.shedding.demand import NUMBERS, TimeSlots
from tidegate.shedding.fleet_demand import REPORT_EVERY_S, DemandView, Report
from tidegate.shedding.in_redis import DemandRider, demand_call, read_demand
from tidegate.shedding.pressure import Demand
from tidegate.stores.redis.store import RedisStore
from tidegate.testing import FakeClock

RUNS_ON = ["redis", "valkey"]
NOT_ON = ["redis-serverless"]  # the refill clock and the counts as one node keeps them

KEY = "tidegate:{fleet:contract}:flow"
BEGAN_US = 1_800_000_000_000_000
QUESTION = Question("subject", (Charge("a", Bucket(1000, 1000)),))

works = st.lists(st.integers(-2_000_000, 20_000_000).map(lambda us: us / 1_000_000), min_size=NUMBERS, max_size=NUMBERS)
reports = st.tuples(st.integers(0, 3_000_000), works)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.lists(reports, min_size=1, max_size=20))
def test_lua_sums_up_as_python_does(place_db, several):
    place_db.flushdb()
    slots, now_us = TimeSlots(), BEGAN_US
    for elapsed_us, numbers in several:
        now_us += elapsed_us
        place_db.set(HELD_CLOCK_KEY, now_us)
        demand, doubt = read_demand(evaluate(place_db, Report(tuple(numbers))))
        newest = slots.turn(now_us / 1_000_000)
        newest[:] = [was + added for was, added in zip(newest, numbers, strict=True)]
        model = slots.measure(now_us / 1_000_000)
        assert list(demand) == pytest.approx(list(model.demand), rel=1e-4, abs=0.002)
        assert doubt == pytest.approx(model.doubt, rel=1e-4, abs=0.002)


@pytest.mark.parametrize("kept", [b"", b"no demand", b"\0" * 528, b"\xff" * 528, b"x" * 528])
def test_whatever_lies_there_is_forgotten_in_time(place_db, kept):
    place_db.set(KEY, kept)
    for passed_s in range(5):
        place_db.set(HELD_CLOCK_KEY, BEGAN_US + passed_s * 1_000_000)
        said = read_demand(evaluate(place_db, Report((0.0,) * NUMBERS)))
    assert said == (Demand(), 0)


def test_what_is_no_text_at_all_is_forgotten_too(place_db):
    place_db.lpush(KEY, "a list")
    place_db.set(HELD_CLOCK_KEY, BEGAN_US)
    assert read_demand(evaluate(place_db, Report((0.0,) * NUMBERS))) == (Demand(), 0)


def evaluate(place_db, report):
    call = demand_call(KEY, report)
    return place_db.eval(with_held_time(call.script).source, 1, *call.keys, *call.arguments)


def test_a_report_rides_along_and_is_no_command_of_its_own_round_trip(place, tcp_proxy):
    clock = FakeClock()
    proxy = tcp_proxy(int(place.address.rpartition(":")[2].partition("/")[0]))
    view = DemandView(clock, lambda: 1)
    store = RedisStore(
        RedisTarget(proxy.url(place.address), 20, 20), "contract", "one", clock, [DemandRider(view, "contract")]
    )
    store.admit(QUESTION)
    counts = []
    for _ in range(4):
        proxy.reset_counts()
        clock.advance(REPORT_EVERY_S / 2)
        store.admit(QUESTION)
        counts.append((proxy.round_trips, len(proxy.commands)))
    close(store)
    assert counts == [(1, 1), (1, 2), (1, 1), (1, 2)]


def test_what_nobody_demands_any_more_is_not_kept(place):
    view = DemandView(FakeClock(), lambda: 1)
    store = RedisStore(
        RedisTarget(place.address, 20, 20), "contract", "one", FakeClock(), [DemandRider(view, "contract")]
    )
    view.unmeasured("normal")
    store.admit(QUESTION)
    close(store)
    with driver.Redis.from_url(place.address) as client:
        assert 0 < client.pttl(KEY) <= 10_000
