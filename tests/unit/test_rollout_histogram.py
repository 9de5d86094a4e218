"""The controller has a histogram of its own, for it runs without the library: both read the same bins alike."""

from hypothesis import given
from hypothesis import strategies as st

from functions.rollout.judge import histogram as controllers
from tidegate.outcomes import histogram as librarys

LATENCIES = st.lists(st.integers(0, 2**42), min_size=1, max_size=30)


@given(LATENCIES, st.floats(0.01, 1))
def test_what_the_library_counted_the_controller_reads(latencies, share):
    counted: dict[int, int] = {}
    for latency_us in latencies:
        assert controllers.bin_of(latency_us) == librarys.bin_of(latency_us)
        at = librarys.bin_of(latency_us)
        counted[at] = counted.get(at, 0) + 1
    written = librarys.Histogram(counted).increments("wl")
    read = controllers.Histogram.of_fields(written, "wl")
    assert read.counts == counted
    assert read.quantile_us(share) == librarys.Histogram(counted).quantile_us(share)
