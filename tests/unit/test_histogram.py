"""The latency histogram: bounded relative error, and merging that is adding."""

from collections import Counter
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.outcomes.histogram import LONGEST_US, RELATIVE_ERROR, Histogram, bin_of, lowest_us, middle_us

latencies = st.integers(0, LONGEST_US) | st.integers(0, 5_000_000)
samples = st.lists(latencies, max_size=80)


@given(latencies)
def test_a_bin_s_middle_is_within_the_stated_error_of_all_it_holds(latency_us):
    number = bin_of(latency_us)
    assert lowest_us(number) <= latency_us < lowest_us(number + 1)
    assert abs(middle_us(number) - latency_us) <= RELATIVE_ERROR * latency_us


@given(st.integers(0, bin_of(LONGEST_US)))
def test_bins_follow_one_another_without_a_gap(number):
    assert bin_of(lowest_us(number)) == number
    assert bin_of(lowest_us(number + 1) - 1) == number


def test_what_is_out_of_range_is_counted_at_its_ends():
    assert Histogram.of([-5, LONGEST_US * 9]).counts == {0: 1, bin_of(LONGEST_US): 1}


@given(samples.filter(len), st.floats(0.001, 1))
def test_a_quantile_is_within_the_stated_error_of_the_exact_one(sample, quantile):
    exact = sorted(sample)[ceil(quantile * len(sample)) - 1]
    assert abs(Histogram.of(sample).quantile_us(quantile) - exact) <= RELATIVE_ERROR * exact


@given(samples, samples, samples)
def test_merging_is_counting_together_in_any_order(first, second, third):
    a, b, c = map(Histogram.of, (first, second, third))
    together = Histogram.of(first + second + third)
    assert a.merged(b).merged(c) == c.merged(a.merged(b)) == together
    assert together.total == len(first + second + third)


@given(samples, samples)
def test_increments_added_to_counters_give_the_merged_histogram(first, second):
    counters = Counter({"requests": 7})
    for sample in (first, second):
        counters.update(Histogram.of(sample).increments("l"))
    texts = {name: str(count) for name, count in counters.items()}
    assert Histogram.of_fields(texts, "l") == Histogram.of(first + second)


@given(samples, latencies)
def test_above_counts_what_lies_in_later_bins(sample, latency_us):
    assert Histogram.of(sample).above(bin_of(latency_us)) == sum(bin_of(x) > bin_of(latency_us) for x in sample)


@pytest.mark.parametrize(("sample", "quantile"), [([], 0.5), ([1], 0), ([1], 1.1)])
def test_there_is_no_quantile_of_nothing_nor_beyond_all(sample, quantile):
    with pytest.raises(ValueError, match="quantile of"):
        Histogram.of(sample).quantile_us(quantile)


def test_a_field_that_is_no_bin_is_an_error():
    with pytest.raises(ValueError, match="base 36"):
        Histogram.of_fields({"l-!": 1}, "l")
