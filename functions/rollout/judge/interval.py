"""Confidence intervals that hold at all looks together: for a share, and for a quantile.

For a share: the values that a mixture bet (with Jeffreys' prior, its wealth is a ratio of beta functions) doesn't
reject. For a quantile: the latencies at which the quantile's share isn't rejected.

Sources: Robbins, "Statistical methods related to the law of the iterated logarithm" (1970), for the mixture; Howard,
Ramdas, "Sequential estimation of quantiles with applications to A/B testing and best-arm identification", Bernoulli 28
(2022), for the step from shares to quantiles.
"""

from __future__ import annotations

from math import lgamma, log

from functions.rollout.judge.histogram import Histogram, lowest_us
from functions.rollout.judge.verdict import Interval

_HALVINGS = 40


def of_share(hits: int, requests: int, error: float) -> Interval | None:
    """Return a share's interval, which is wrong at any look with probability `error` at most; None without requests."""
    if not requests:
        return None
    estimate = hits / requests
    low = 0.0 if not hits else _edge(hits, requests, error, 0.0, estimate)
    high = 1.0 if hits == requests else _edge(hits, requests, error, 1.0, estimate)
    return Interval(estimate, low, high)


def of_quantile(latency: Histogram, quantile: float, error: float) -> Interval | None:
    """Return a quantile's interval in microseconds, to the bins' width; None without latencies."""
    total = latency.total
    if not total:
        return None
    below, possible = 0, list[int]()
    for number, count in sorted(latency.counts.items()):
        # The quantile may lie in this bin unless too many requests lie below it, or too few up to its end.
        few = (below + count) / total < quantile and _rejects(below + count, total, quantile, error)
        many = below / total > quantile and _rejects(below, total, quantile, error)
        if not few and not many:
            possible.append(number)
        below += count
    # With few requests the quantile may lie beyond all latencies.
    open_below = not _rejects(0, total, quantile, error)
    open_above = not _rejects(total, total, quantile, error)
    low = 0.0 if open_below else float(lowest_us(possible[0]))
    high = float("inf") if open_above else float(lowest_us(possible[-1] + 1))
    return Interval(latency.quantile_us(quantile), low, high)


def _rejects(hits: int, requests: int, share: float, error: float) -> bool:
    return _log_wealth(hits, requests, share) >= -log(error)


def _log_wealth(hits: int, requests: int, share: float) -> float:
    missed = requests - hits
    mixed = lgamma(hits + 0.5) + lgamma(missed + 0.5) - lgamma(requests + 1) - 2 * lgamma(0.5)
    return mixed - (hits * log(share) if hits else 0.0) - (missed * log(1 - share) if missed else 0.0)


def _edge(hits: int, requests: int, error: float, rejected: float, kept: float) -> float:
    """Bisect between a share that is rejected and one that isn't."""
    for _ in range(_HALVINGS):
        middle = (rejected + kept) / 2
        if _rejects(hits, requests, middle, error):
            rejected = middle
        else:
            kept = middle
    return rejected
