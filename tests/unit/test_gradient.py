"""The adaptive limit in a simulated queue: it finds the capacity, follows it, and stays within its bounds."""

import heapq
import random
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.dependency import Bounds, Gradient, answered, unanswered

SERVICE_MS = 10.0
BOUNDS = Bounds(least=4, most=200)


def settled(known):
    """The limit, or that to which a look at the floor returns."""
    return max(known.limit, known.before)


@dataclass
class Station:
    """A queue in front of so many servers, with callers who always have a next call as soon as the limit lets them."""

    servers: int
    seed: int
    noise: float = 0.3
    service_ms: float = SERVICE_MS

    def __post_init__(self):
        self.drawn = random.Random(self.seed)

    def serve(self, known, calls, offered=10_000):
        """So many calls, the limit as it moves; returns what is known and the calls a millisecond at the end."""
        now, free, flights, begun = 0.0, [0.0] * self.servers, [], 0
        done, mark = 0, None
        while done < calls:
            while begun < calls and len(flights) < max(1, min(int(known.limit), offered)):
                start = max(now, heapq.heappop(free))
                end = start + self.service_ms * self.drawn.uniform(1 - self.noise, 1 + self.noise)
                heapq.heappush(free, end)
                heapq.heappush(flights, (end, now))
                begun += 1
            in_flight = len(flights)
            now, sent = heapq.heappop(flights)
            known = answered(known, BOUNDS, now - sent, in_flight)
            done += 1
            if done == calls // 2:
                mark = now
        return known, (calls - calls // 2) / (now - mark)


@given(
    servers=st.integers(5, 60),
    start=st.integers(BOUNDS.least, BOUNDS.most),
    seed=st.integers(0, 1000),
    noise=st.floats(0, 0.6),
)
@settings(max_examples=25)
def test_it_finds_the_capacity_from_below_and_from_above(servers, start, seed, noise):
    # What was seen before there was a queue is what a queue is told by.
    known = Gradient(start, baseline_ms=SERVICE_MS)
    known, rate = Station(servers, seed, noise).serve(known, 6000)
    assert servers <= settled(known) <= 2.2 * servers + 6
    assert rate >= 0.9 * servers / SERVICE_MS


@given(servers=st.integers(8, 40), seed=st.integers(0, 1000))
@settings(max_examples=12)
def test_it_learns_by_itself_what_is_normal(servers, seed):
    known, rate = Station(servers, seed).serve(Gradient(BOUNDS.least), 8000)
    assert servers <= settled(known) <= 2.2 * servers + 6
    assert rate >= 0.9 * servers / SERVICE_MS


@given(seed=st.integers(0, 1000))
@settings(max_examples=4)
def test_hours_of_overload_do_not_become_the_normal(seed):
    known, _ = Station(20, seed).serve(Gradient(20, SERVICE_MS), 40_000)
    assert settled(known) <= 2.2 * 20 + 6
    assert known.baseline_ms < 1.3 * SERVICE_MS


@given(seed=st.integers(0, 1000))
@settings(max_examples=12)
def test_it_shrinks_with_the_capacity_and_recovers(seed):
    known, _ = Station(40, seed).serve(Gradient(40, SERVICE_MS), 4000)
    before = settled(known)
    known, _ = Station(8, seed).serve(known, 4000)
    assert settled(known) <= 2.2 * 8 + 6
    known, rate = Station(40, seed).serve(known, 8000)
    assert settled(known) >= 0.8 * before
    assert rate >= 0.9 * 40 / SERVICE_MS


@given(seed=st.integers(0, 1000))
@settings(max_examples=12)
def test_what_is_slower_for_good_becomes_the_normal(seed):
    known, _ = Station(20, seed).serve(Gradient(20, SERVICE_MS), 4000)
    known, rate = Station(20, seed, service_ms=5 * SERVICE_MS).serve(known, 12_000)
    assert known.baseline_ms > 4 * SERVICE_MS
    assert rate >= 0.9 * 20 / (5 * SERVICE_MS)


@given(
    seen=st.lists(
        st.one_of(st.none(), st.tuples(st.floats(0, 1e6, allow_subnormal=False), st.integers(1, 500))), max_size=400
    ),
    start=st.integers(BOUNDS.least, BOUNDS.most),
)
def test_it_stays_within_its_bounds_whatever_is_seen(seen, start):
    known = Gradient(start)
    for call in seen:
        known = unanswered(known, BOUNDS) if call is None else answered(known, BOUNDS, *call)
        assert BOUNDS.least <= known.limit <= BOUNDS.most
        assert known.baseline_ms >= 0
        assert known.ratio >= 1


def test_a_limit_that_nobody_comes_near_stays():
    known = Gradient(40, SERVICE_MS)
    for _ in range(1000):
        known = answered(known, BOUNDS, SERVICE_MS, 1)
    assert known.limit == 40


@pytest.mark.parametrize("calls", [1, 5, 50])
def test_each_call_without_an_answer_takes_a_tenth(calls):
    known = Gradient(100)
    for _ in range(calls):
        known = unanswered(known, BOUNDS)
    assert known.limit == pytest.approx(max(BOUNDS.least, 100 * 0.9**calls))
