"""The whole failover chain in a fleet, in a short form: one bound over every change of store, and it can be broken.

The full table: `python -m tests.simulation.overadmission --seed 1`.
"""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.simulation import overadmission
from tests.simulation.overadmission import SCENARIOS, simulate, simulate_hot_key
from tidegate.failover.carryover import CarriedState
from tidegate.failover.fallback_clock import FallbackClock
from tidegate.limits import share
from tidegate.limits.share import scaled_rule

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """The same in half a minute of simulated time instead of six."""
    for name, seconds in (("LOST_S", 8.0), ("BACK_S", 28.0), ("END_S", 33.0)):
        monkeypatch.setattr(overadmission, name, seconds)


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize(("environments", "seed"), [(3, 1), (10, 2)])
def test_no_stretch_of_time_admits_more_than_the_bound(name, environments, seed):
    outcome = simulate(name, environments, seed)
    assert outcome.worst <= 1
    assert outcome.greedy <= 1.1


@pytest.mark.parametrize("seed", range(10, 16))
def test_nor_does_any_other_flapping(seed):
    assert simulate("flapping", 5, seed).worst <= 1


changes = st.lists(
    st.tuples(st.floats(0.05, 4), st.sampled_from(["redis", "dynamodb", "dynamodb", "empty"]), st.booleans()),
    min_size=2,
    max_size=12,
)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.integers(3, 10), st.integers(0, 1000), changes)
def test_nor_do_changes_at_any_times(environments, seed, told):
    def script(world):
        events, at = [], 6.0
        for pause_s, which, up in told:
            at += pause_s

            def change(world, which=which, up=up):
                if which == "empty":
                    world.redis.restart_empty()
                else:
                    getattr(world, which).up = up

            events.append((at, change))
        return events

    assert simulate("drawn", environments, seed, script).worst <= 1


def test_the_limit_is_used_while_redis_is_out_and_while_both_are():
    for name in ("Redis out 5 min", "both out 5 min"):
        outcome = simulate(name, 10, 3)
        assert outcome.greedy >= 0.7  # of a short outage the beginning without a burst is a large part
        assert outcome.modest >= 0.85
        assert outcome.per_process > 2  # what each process's own memory would have let through


def test_a_fallback_that_begins_with_a_burst_is_caught(monkeypatch):
    monkeypatch.setattr(FallbackClock, "placed", lambda _, charge, __: charge._replace(min_deficit_us=0))
    assert simulate("Redis out 5 min", 10, 1).worst > 1


def test_shares_that_begin_with_a_burst_are_caught(monkeypatch):
    monkeypatch.setattr(share, "scaled_rule", lambda *asked: scaled_rule(*asked)._replace(debt_us=0))
    monkeypatch.setattr(CarriedState, "carried_by", lambda _, question, now: question)
    assert simulate("both out 5 min", 10, 1).worst > 1


def test_a_hot_key_costs_far_fewer_writes_than_decisions():
    hot = simulate_hot_key(environments=50, per_s=5_000, seconds=3, seed=1)
    assert hot.busiest_item < 1_000
    assert hot.writes < hot.decisions / 5
    assert hot.worst <= 1
