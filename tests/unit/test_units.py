"""Rates and durations as people write them."""

from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tidegate.units import Rate, duration_us

SECOND = 1_000_000


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("1us", 1),
        ("250ms", 250_000),
        ("30s", 30 * SECOND),
        ("1.5s", 1_500_000),
        ("90 s", 90 * SECOND),
        ("2sec", 2 * SECOND),
        ("second", SECOND),
        ("1m", 60 * SECOND),
        ("5min", 300 * SECOND),
        ("minute", 60 * SECOND),
        ("24h", 86_400 * SECOND),
        ("hour", 3600 * SECOND),
        ("1d", 86_400 * SECOND),
        ("day", 86_400 * SECOND),
        (" 10S ", 10 * SECOND),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text, microseconds):
    assert duration_us(text) == microseconds


@pytest.mark.parametrize("text", ["", "10", "s10", "10 parsecs", "-1s", "1,5s", "1e3s", "1s2", "10/s", "ten s"])
def test_another_duration_is_refused_and_the_refusal_says_what_to_write(text):
    with pytest.raises(ValueError, match=r"write a number and a unit, such as '30s', '250ms' or '24h'"):
        duration_us(text)


@pytest.mark.parametrize("text", ["0s", "0.0h", "0.4us"])
def test_no_time_at_all_is_refused(text):
    with pytest.raises(ValueError, match="no time at all; write at least '1us'"):
        duration_us(text)


@example("9" * 400 + "s")
@given(st.text(max_size=20) | st.from_regex(r"\d{1,400}(\.\d{1,9})?(s|h|day)", fullmatch=True))
def test_any_text_is_read_or_refused_with_a_value_error(text):
    with suppress(ValueError):
        assert duration_us(text) > 0


@pytest.mark.parametrize(
    ("text", "count", "period_us", "interval_us"),
    [
        ("20/s", 20, SECOND, 50_000),
        ("5/min", 5, 60 * SECOND, 12 * SECOND),
        ("10/30s", 10, 30 * SECOND, 3 * SECOND),
        ("1 / 250ms", 1, 250_000, 250_000),
        ("100 per hour", 100, 3600 * SECOND, 36 * SECOND),
        ("3/s", 3, SECOND, 333_334),
        ("1000000/s", 1_000_000, SECOND, 1),
        ("1/d", 1, 86_400 * SECOND, 86_400 * SECOND),
    ],
)
def test_a_rate_is_a_count_and_a_period(text, count, period_us, interval_us):
    rate = Rate.parse(text)
    assert (rate.count, rate.period_us, rate.interval_us) == (count, period_us, interval_us)


@pytest.mark.parametrize("text", ["", "20", "/s", "20/", "0/s", "-1/s", "1.5/s", "s/20", "20/s/s", "twenty/s"])
def test_another_rate_is_refused_and_the_refusal_says_what_to_write(text):
    with pytest.raises(ValueError, match=r"write (a count and a period|a number and a unit), such as"):
        Rate.parse(text)


@pytest.mark.parametrize("text", ["1000001/s", "2/us", "1001/ms"])
def test_more_than_one_a_microsecond_is_refused(text):
    with pytest.raises(ValueError, match="write at most '1000000/s'"):
        Rate.parse(text)


@given(st.integers(1, 10**9), st.integers(1, 10**12))
def test_the_interval_never_lets_more_through_than_the_rate(count, period_us):
    interval = Rate(count, period_us).interval_us
    assert interval * count >= period_us
    assert (interval - 1) * count < period_us
