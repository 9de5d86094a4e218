"""What an asker gets of a copy, and when a renewal begins early."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.cache.freshness import Kept, draw, standing

FRESH, STALE = Kept(20_000, 320_000, 620_000, 100), Kept(-1, 300_000, 600_000, 100)
OLD, GONE = Kept(-300_001, -1, 299_999, 100), Kept(-600_001, -300_001, -1, 100)


@pytest.mark.parametrize(
    ("kept", "leased", "resting", "expected"),
    [
        (FRESH, False, False, "hit"),
        (FRESH, True, False, "hit"),
        (STALE, False, False, "lease"),
        (STALE, True, False, "stale"),
        (STALE, False, True, "stale"),
        (OLD, False, False, "lease"),
        (OLD, True, False, "busy"),
        (OLD, False, True, "stale"),
        (GONE, False, True, "lease"),
        (None, False, False, "lease"),
        (None, True, False, "busy"),
    ],
)
def test_what_an_asker_gets(kept, leased, resting, expected):
    found = standing(kept, drawn=0, leased=leased, resting=resting)
    assert found == expected


def test_nobody_waits_for_what_was_for_one_alone():
    ask = {"drawn": 0, "resting": False, "passing": True}
    assert standing(None, leased=True, **ask) == standing(OLD, leased=True, **ask) == "pass"
    assert standing(None, leased=False, **ask) == "lease", "who asks may store it after all"
    assert (standing(FRESH, leased=True, **ask), standing(STALE, leased=True, **ask)) == ("hit", "stale")


def test_a_renewal_begins_early_by_the_draw_and_only_for_one():
    late = Kept(150, 300_000, 300_000, 100)
    ask = {"leased": False, "resting": False}
    assert standing(late, drawn=1.4, **ask) == "hit"
    assert standing(late, drawn=1.6, **ask) == "lease"
    assert standing(late, drawn=1.6, leased=True, resting=False) == "hit"


@given(st.floats(0, 1))
def test_the_draw_is_a_time_within_bounds(uniform):
    assert 0 <= draw(uniform) <= 20


def test_a_tenth_of_the_askers_draws_more_than_ln_10():
    drawn = [draw(random.Random(seed).random()) for seed in range(4000)]
    assert 0.07 < sum(value > 2.302585 for value in drawn) / len(drawn) < 0.13
