"""The sliding window in every store: never more in any stretch, small in Redis, and unmoved by what lies there."""

from __future__ import annotations

import pytest
import redis as driver
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidegate.limits.sliding_window import Window
from tidegate.limits.sliding_window_counter import WindowCounter
from tidegate.messages import Charge, Question, Settlement

RUNS_ON = ["memory", "redis", "valkey", "dynamodb", "redis-cluster", "redis-py"]

MINUTES = Window(3_600_000, 100)
examples = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@examples
@given(
    window=st.builds(Window, st.integers(60_000, 3_600_000), st.integers(1, 12)),
    asked=st.lists(st.tuples(st.integers(0, 15), st.integers(1, 5), st.booleans()), max_size=24),
)
def test_no_stretch_holds_more_whichever_environment_is_asked(clocked, new_subject, window, asked):
    """Steps of a fourteenth of a window: each charge falls where a part begins or ends, the hardest place."""
    subject, other, admitted = new_subject(), clocked.another(), []
    for fourteenths, cost, mine in asked:
        clocked.advance_us(fourteenths * window.window_ms * 1000 // 14)
        now = clocked.clock.wall_us()
        question = Question(subject, (Charge("w", window, cost),))
        if (clocked.store if mine else other).admit(question).admitted:
            admitted.append((now, cost))
        within = [units for at, units in admitted if at >= now - window.window_ms * 1000]
        assert sum(within) <= window.quota


def test_what_is_given_back_late_is_taken_from_where_it_was_charged(clocked, new_subject):
    subject = new_subject()
    early, late = (Question(subject, (Charge("w", MINUTES, cost),)) for cost in (60, 40))
    stood = clocked.store.admit(early).limits[0].counts
    clocked.advance_us(1_800_000_000)
    assert clocked.store.admit(late).admitted
    clocked.advance_us(1_900_000_000)  # the early charge is forgotten: nothing of it is left to give back
    back = early.charges[0]._replace(cost=-50, known_counts=stood)
    clocked.store.settle(Settlement(subject, None, None, fenced=False, corrections=(back,)))
    [state] = clocked.store.admit(early._replace(peek=True)).limits
    assert state.remaining == 60


@pytest.fixture
def stored(place):
    if not place.in_redis:
        pytest.skip("about what lies in Redis")
    with driver.Redis.from_url(place.own_url) as client:
        yield client


# Allocators round up: with jemalloc what has two bytes for a part's units takes 152.
@pytest.mark.parametrize(
    ("quota", "spread", "most_bytes"),
    [(100, 14, 150), (1000, 14, 150), (3500, 14, 150), (65_000, 14, 152), (900_000, 14, 152), (60_000, 1, 152)],
)
def test_a_caller_takes_few_bytes(place, clocked, stored, quota, spread, most_bytes):
    window = Window(86_400_000, quota)
    for _ in range(spread + 1):
        clocked.store.admit(Question("aBcDeFgHiJkL", (Charge("a1b2c3d4", window, quota // (spread + 1)),)))
        clocked.advance_us(window.window_ms * 1000 // spread)
    [key] = stored.keys("tidegate:*:s")
    # A shard of several has two pointers more for each key.
    assert stored.memory_usage(key, samples=0) <= most_bytes + (16 if place.kind == "redis-serverless" else 0)
    assert 0 < stored.pttl(key) <= window.window_ms * 15 // 14 + 60_000


@pytest.mark.parametrize("lies", [b"", b"\x00", b"7:100:99", b"\xff" * 60, b"\x01" * 7, b"\x09" * 64, b"1800:1:2:3"])
@pytest.mark.parametrize("rule", [MINUTES, WindowCounter(3_600_000, 100)], ids=["window", "counter"])
def test_what_lies_in_redis_and_is_no_window_is_none(rig, stored, new_subject, rule, lies):
    subject = new_subject()
    stored.set(f"tidegate:{{{subject}}}:w1:{rule.kind}", lies)
    answers = [rig.store.admit(Question(subject, (Charge("w1", rule, 1, known_counts=()),))) for _ in range(2)]
    assert [a.admitted for a in answers] == [True, True]


def test_the_release_befores_counters_stay_as_they_are(rig, stored, new_subject):
    """A release that turns windows exact, and one that turns them back, each find their own."""
    subject = new_subject()
    former = Question(subject, (Charge("w1", WindowCounter(3_600_000, 5)),))
    assert [rig.store.admit(former).limits[0].remaining for _ in range(2)] == [4, 3]
    exact = Question(subject, (Charge("w1", Window(3_600_000, 5)),))
    assert [rig.store.admit(exact).limits[0].remaining for _ in range(2)] == [4, 3]
    assert rig.store.admit(former).limits[0].remaining == 2
