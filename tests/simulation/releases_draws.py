"""Poisson counts in plain Python, exact for any mean, and whole histograms of them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from math import exp, floor, lgamma, log, sqrt

# From here on one count is drawn for each bin; below, one bin for each request.
_MANY = 200


def poisson(rng: random.Random, mean: float) -> int:
    """Draw a count.

    Source of the second way: W. Hörmann, "The transformed rejection method for generating Poisson random variables"
    (1993), algorithm PTRS.
    """
    if mean < 10:
        left, count = rng.random() - exp(-mean), 0
        term = exp(-mean)
        while left > 0 and count < 1000:
            count += 1
            term *= mean / count
            left -= term
        return count
    b = 0.931 + 2.53 * sqrt(mean)
    a = -0.059 + 0.02483 * b
    v_r = 0.9277 - 3.6224 / (b - 2)
    while True:
        u = rng.random() - 0.5
        v = rng.random()
        us = 0.5 - abs(u)
        if us == 0:
            continue
        k = floor((2 * a / us + b) * u + mean + 0.43)
        if us >= 0.07 and v <= v_r:
            return k
        if k < 0 or (us < 0.013 and v > us):
            continue
        inverse = 1.1239 + 1.1328 / (b - 3.4)
        if log(v * inverse / (a / us / us + b)) <= k * log(mean) - mean - lgamma(k + 1):
            return k


class Shape:
    """A distribution over a histogram's bins.

    Attributes:
        shares: (bin, share); the shares add up to 1.
    """

    def __init__(self, shares: Sequence[tuple[int, float]]):
        self.shares = shares
        self._bins = [number for number, _ in shares]
        self._sums = list(accumulate(share for _, share in shares))

    def draw(self, rng: random.Random, mean: float) -> dict[int, int]:
        """Draw a histogram of so many on average: each bin's count is Poisson, as thinning has it."""
        if mean >= _MANY:
            drawn = ((number, poisson(rng, mean * share)) for number, share in self.shares)
            return {number: count for number, count in drawn if count}
        return Counter(rng.choices(self._bins, cum_weights=self._sums, k=poisson(rng, mean)))
