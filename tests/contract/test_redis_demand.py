"""What the fleet's callers demand, summed up in Redis: the Lua is the Python, and it costs no round trip."""

import pytest
import redis as driver
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.places import HELD_CLOCK_KEY, close, with_held_time
from tidegate.algorithms.shedding import Demand
from tidegate.algorithms.token_bucket import Bucket
from tidegate.question import Charge, Question
from tidegate.stores.connection import RedisTarget
from tidegate.stores.demand import REPORT_EVERY_S, DemandView, Report
from tidegate.stores.redis import RedisStore
from tidegate.stores.redis_scripts import demand_call, read_demand
from tidegate.testing import FakeClock

RUNS_ON = ["redis", "valkey"]

KEY = "tidegate:{fleet:contract}:demand"
BEGAN_US = 1_800_000_000_000_000
QUESTION = Question("subject", (Charge("a", Bucket(1000, 1000)),))

works = st.builds(Demand, *(st.integers(-2_000_000, 20_000_000).map(lambda us: us / 1_000_000),) * 3)
reports = st.tuples(st.integers(0, 20_000_000), st.builds(Report, works, st.sampled_from([2.0, 7.5, 60.0])))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.lists(reports, min_size=1, max_size=20))
def test_lua_sums_up_as_python_does(held, several):
    held.flushdb()
    demand, now_us, at_us = Demand(), BEGAN_US, BEGAN_US
    for elapsed_us, report in several:
        now_us += elapsed_us
        held.set(HELD_CLOCK_KEY, now_us)
        call = demand_call(KEY, report)
        reply = held.eval(with_held_time(call.script).source, 1, *call.keys, *call.arguments)
        demand, at_us = demand.after((now_us - at_us) / 1_000_000, report.window_s, report.work), now_us
        assert list(read_demand(reply)) == pytest.approx(list(demand), rel=1e-4, abs=0.002)


@pytest.fixture
def held(place):
    with driver.Redis.from_url(place.address) as client:
        yield client


def test_a_report_rides_along_and_is_no_command_of_its_own_round_trip(place, tcp_proxy):
    clock = FakeClock()
    proxy = tcp_proxy(int(place.address.rpartition(":")[2].partition("/")[0]))
    view = DemandView(clock, lambda: 1)
    store = RedisStore(RedisTarget(proxy.url(place.address), 20, 20), "contract", "one", clock, view)
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
    store = RedisStore(RedisTarget(place.address, 20, 20), "contract", "one", FakeClock(), view)
    view.came("normal", 1)
    store.admit(QUESTION)
    close(store)
    with driver.Redis.from_url(place.address) as client:
        assert 0 < client.pttl(KEY) <= 40_000
