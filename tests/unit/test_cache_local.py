"""An environment's own copies: bounded, voided by tag, renewed as rarely as the fleet is large."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.cache.local import LocalCopies, LocalCopy
from tidegate.cache_messages import Windows
from tidegate.testing import FakeClock

WINDOWS = Windows(30_000, 300_000, 600_000)


def copy(clock, size=100, tags=(), windows=WINDOWS):
    return LocalCopy(b"x" * size, tags, clock.wall_us(), windows)


def test_a_copy_is_there_until_it_is_of_no_use():
    clock = FakeClock()
    copies = LocalCopies(clock)
    copies.put("a", copy(clock))
    clock.advance(629)
    assert copies.get("a").age_ms(clock.wall_us()) == 629_000
    clock.advance(1)
    assert copies.get("a") is None
    assert copies.size_bytes == 0


def test_the_bytes_are_bounded_and_the_one_unused_for_longest_goes_first():
    clock = FakeClock()
    copies = LocalCopies(clock, capacity_bytes=5000)
    for name in "abc":
        copies.put(name, copy(clock, 1000))
    copies.get("a")
    copies.put("d", copy(clock, 1000))
    assert [name for name in "abcd" if copies.get(name)] == ["a", "c", "d"]
    copies.put("e", copy(clock, 6000))
    assert copies.get("e") is None
    assert copies.size_bytes <= 5000


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 3000)), max_size=40))
def test_the_count_of_bytes_is_never_wrong(puts):
    clock = FakeClock()
    copies = LocalCopies(clock, capacity_bytes=9000)
    for name, size in puts:
        copies.put(name, copy(clock, size))
    left = [found for found in map(copies.get, "abcdef") if found]
    assert copies.size_bytes == sum(len(found.record) + 600 for found in left) <= 9000


def test_a_tag_voids_what_bears_it():
    clock = FakeClock()
    copies = LocalCopies(clock)
    copies.put("a", copy(clock, tags=("one", "two")))
    copies.put("b", copy(clock, tags=("three",)))
    copies.void(["two", "four"])
    assert (copies.get("a"), copies.get("b") is not None) == (None, True)


def test_a_late_one_is_not_kept_and_takes_nothing_away():
    clock = FakeClock()
    copies, born_us = LocalCopies(clock), clock.wall_us()
    clock.advance(1)
    copies.void(["one"])
    clock.advance(1)
    copies.put("a", copy(clock, size=50, tags=("one",)), born_us=clock.wall_us())
    copies.put("a", copy(clock, size=60, tags=("one",)), born_us=born_us)
    assert len(copies.get("a").record) == 50


@pytest.mark.parametrize("environments", [1, 3, 10, 20])
def test_a_fleet_without_redis_asks_about_as_often_as_one_with_it(environments):
    """So many environments, each renewing when it is due: less than twice one renewal per freshness."""
    clock = FakeClock()
    lasts_s = []
    for _ in range(2000):
        copies = LocalCopies(clock)
        copies.put("a", copy(clock), environments)
        lasts_s.append((copies.get("a").due_us - clock.wall_us()) / 1e6)
    assert max(lasts_s) <= 630
    assert min(lasts_s) >= 30
    assert environments / (sum(lasts_s) / len(lasts_s)) <= 1.5 / 30
