"""The fields that say how dear a request is and how long its caller waits: both sides read what the other writes."""

import math
from typing import get_args

import http_sf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate import criticality, deadline
from tidegate.policy import Priority

LEVELS = st.sampled_from(criticality.ORDER)


@given(st.floats(min_value=0, max_value=86_400, allow_nan=False))
def test_what_is_left_is_never_said_to_be_more(left_s):
    written = deadline.format_ms(left_s)
    assert isinstance(http_sf.parse(written.encode(), tltype="item")[0], int)
    read = deadline.parse_ms(written)
    assert read is not None
    assert left_s * 1000 - 1 < read <= left_s * 1000


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_nothing(text):
    read = deadline.parse_ms(text)
    assert read is None or 0 <= read <= deadline.LONGEST_MS


@pytest.mark.parametrize("text", [None, "", "-1", "1.5", "1e3", "1500ms", "1,2", "\u0661", "1" * 16, "soon"])
def test_what_is_no_time_is_ignored(text):
    assert deadline.parse_ms(text) is None


@pytest.mark.parametrize("left_s", [-1.0, -math.inf])
def test_a_deadline_that_is_over_leaves_nothing(left_s):
    assert deadline.format_ms(max(left_s, -1e9)) == "0"


def test_the_longest_time_is_a_day():
    assert deadline.parse_ms("999999999999999") == deadline.parse_ms(deadline.format_ms(1e9)) == deadline.LONGEST_MS


@pytest.mark.parametrize("level", criticality.ORDER)
def test_each_level_is_a_token_that_is_read_back(level):
    assert str(http_sf.parse(level.encode(), tltype="item")[0]) == level
    assert criticality.parse(f" {level} ") == level


@pytest.mark.parametrize("text", [None, "", "Critical", "CRITICAL", "urgent", "critical;q=1", '"critical"'])
def test_what_is_no_level_is_ignored(text):
    assert criticality.parse(text) is None


@given(LEVELS, LEVELS)
def test_nobody_claims_more_than_he_may(claimed, highest):
    given_level = criticality.at_most(claimed, highest)
    assert criticality.rank(given_level) == max(criticality.rank(claimed), criticality.rank(highest))


def test_a_route_s_priority_is_a_criticality():
    assert get_args(Priority) == criticality.ORDER
