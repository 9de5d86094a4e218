"""The latency histogram as the judge reads it, with the bins of the applications.

It is the reading half of `tidegate.outcomes.histogram`. The controller has its own, because it doesn't run on the
library that it releases; in a contract test each reads the other's output.

Each octave is cut into 16 bins of equal width, so that a quantile is within 1/32 of the exact one. Source:
HdrHistogram's bucket layout (Tene, 2012).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import ceil
from types import MappingProxyType
from typing import NamedTuple

# 16 bins an octave.
_PRECISION_BITS = 4
_LINEAR = 2 ** (_PRECISION_BITS + 1)
# 2^40 us is twelve days; longer latencies count as this.
_LONGEST_US = 2**40 - 1
_NOTHING: Mapping[int, int] = MappingProxyType({})


def bin_of(latency_us: int) -> int:
    """Return the bin of a latency; below 32 us each microsecond has its own."""
    latency_us = min(max(0, latency_us), _LONGEST_US)
    shift = max(0, latency_us.bit_length() - _PRECISION_BITS - 1)
    return (shift << _PRECISION_BITS) + (latency_us >> shift)


def lowest_us(number: int) -> int:
    """Return the least latency of a bin, in microseconds."""
    if number < _LINEAR:
        return number
    shift = (number >> _PRECISION_BITS) - 1
    return (number - (shift << _PRECISION_BITS)) << shift


def _middle_us(number: int) -> int:
    """Return the latency that represents a bin, in microseconds."""
    return (lowest_us(number) + lowest_us(number + 1) - 1) // 2


class Histogram(NamedTuple):
    """The number of latencies in each bin; empty bins may be absent.

    Attributes:
        counts: bin to count; not to be changed.
    """

    counts: Mapping[int, int] = _NOTHING

    @classmethod
    def of(cls, latencies_us: Iterable[int]) -> Histogram:
        """Count latencies in microseconds."""
        counts = dict[int, int]()
        for latency_us in latencies_us:
            number = bin_of(latency_us)
            counts[number] = counts.get(number, 0) + 1
        return cls(counts)

    @classmethod
    def of_fields(cls, fields: Mapping[str, int], prefix: str) -> Histogram:
        """Read the fields of a hash or an item, named by the prefix and the bin in base 36; others are ignored."""
        start = len(prefix)
        found = {int(name[start:], 36): count for name, count in fields.items() if name.startswith(prefix)}
        return cls({number: count for number, count in found.items() if count})

    @property
    def total(self) -> int:
        """How many latencies were counted."""
        return sum(self.counts.values())

    def merged(self, other: Histogram) -> Histogram:
        """Return the histogram of both."""
        if not other.counts:
            return self
        counts = dict(self.counts)
        for number, count in other.counts.items():
            counts[number] = counts.get(number, 0) + count
        return Histogram(counts)

    def above(self, number: int) -> int:
        """Count the latencies in bins beyond this one."""
        return sum([count for at, count in self.counts.items() if at > number])

    def quantile_us(self, quantile: float) -> int:
        """Return a quantile, in microseconds: the middle of the lowest bin up to which that share of the latencies
        lies.

        Args:
            quantile: above 0, at most 1.

        Raises:
            ValueError: there are no latencies, or the quantile is out of range.
        """
        if not self.counts or not 0 < quantile <= 1:
            raise ValueError(f"no {quantile} quantile of {self.total} latencies")
        left = ceil(quantile * self.total)
        for number, count in sorted(self.counts.items()):
            left -= count
            if left <= 0:
                return _middle_us(number)
        raise AssertionError("a share of at most 1 ends within the counts")
