"""A latency histogram that merges by adding counters: log-linear bins of bounded relative error.

Each octave is cut into 16 bins of equal width, so that a bin's middle is within 1/32 (3.2 %) of every latency in it,
and a quantile within 1/32 of the exact one. A bin is found with whole-number arithmetic alone, which is the same in
Python and in Lua. Only one counter per bin is kept, so stores can add to them without reading.

Source: HdrHistogram's bucket layout (Tene, 2012); the mergeable guarantee as in "DDSketch: A Fast and Fully-Mergeable
Quantile Sketch with Relative-Error Guarantees" (Masson, Rim, Lee; VLDB 2019).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import ceil
from types import MappingProxyType
from typing import NamedTuple

# 16 bins an octave.
PRECISION_BITS = 4
RELATIVE_ERROR = 1 / 2 ** (PRECISION_BITS + 1)
# 2^40 us is twelve days: longer latencies are counted as that.
LONGEST_US = 2**40 - 1

_LINEAR = 2 ** (PRECISION_BITS + 1)
_NOTHING: Mapping[int, int] = MappingProxyType({})


def bin_of(latency_us: int) -> int:
    """Find the bin of a latency; below 32 us each microsecond has its own."""
    latency_us = min(max(0, latency_us), LONGEST_US)
    shift = max(0, latency_us.bit_length() - PRECISION_BITS - 1)
    return (shift << PRECISION_BITS) + (latency_us >> shift)


def lowest_us(number: int) -> int:
    """Return the least latency that a bin holds."""
    if number < _LINEAR:
        return number
    shift = (number >> PRECISION_BITS) - 1
    return (number - (shift << PRECISION_BITS)) << shift


def middle_us(number: int) -> int:
    """Return the latency that represents a bin."""
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
    def of_fields(cls, fields: Mapping[str, int | str], prefix: str) -> Histogram:
        """Read the counters that `increments` named from a hash or an item; other fields are ignored.

        Raises:
            ValueError: a field with this prefix is no bin, or its value no count.
        """
        start = len(prefix)
        found = {int(name[start:], 36): int(count) for name, count in fields.items() if name.startswith(prefix)}
        return cls({number: count for number, count in found.items() if count})

    def increments(self, prefix: str) -> dict[str, int]:
        """Return the counters to be added to a hash or an item: the prefix and the bin in base 36."""
        return {f"{prefix}{_base36(number)}": count for number, count in sorted(self.counts.items())}

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
        """Return the middle of the lowest bin up to which that share of the latencies lies; microseconds.

        Args:
            quantile: the share, above 0 and at most 1.

        Raises:
            ValueError: nothing was counted, or the share is out of range.
        """
        if not self.counts or not 0 < quantile <= 1:
            raise ValueError(f"no {quantile} quantile of {self.total} latencies")
        left = ceil(quantile * self.total)
        for number, count in sorted(self.counts.items()):
            left -= count
            if left <= 0:
                return middle_us(number)
        raise AssertionError("a share of at most 1 ends within the counts")


def _base36(number: int) -> str:
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
        if not number:
            return digits
