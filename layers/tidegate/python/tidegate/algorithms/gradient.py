"""An adaptive limit on calls in flight: it grows until latency does, and then stays where the queue begins.

Source: Netflix's concurrency-limits (2018). As in `Gradient2Limit`, a window's average latency is compared with a
slow baseline; the limit shrinks by their ratio and grows by the square root of itself. Unlike there, the baseline
doesn't rise in windows whose latency may be our own doing: an average that does takes the queue for the normal in
the end, and lets the limit run away. So that what is slower for good is learnt nevertheless, the limit goes to its
floor for one window now and then while latency stays high, as `GradientLimit` probes for its latency without load.
"""

from __future__ import annotations

import math
from typing import NamedTuple

_FALLING = 0.3  # how much of a lower latency the baseline takes on at once
_RISING = 0.02  # and of a higher one that can't be our own doing
_FLOOR = 4.0
_DOUBTS = 100  # windows of high latency before the floor is tried
_LOST = 0.9  # AIMD's factor for a call without an answer, as in Netflix's AIMDLimit


class Bounds(NamedTuple):
    """Between what the limit moves, and how.

    Attributes:
        least, most: calls in flight.
        tolerance: by what factor latency may exceed its baseline before the limit shrinks; at least 1.
        smoothing: the share of a new estimate that is taken on, 0 to 1.
        window: calls whose latencies are averaged; as many as were in flight, if that is more.
    """

    least: int = 4
    most: int = 100
    tolerance: float = 1.5
    smoothing: float = 0.2
    window: int = 10


class Gradient(NamedTuple):
    """What is known of a dependency.

    Attributes:
        limit: calls that may be in flight.
        baseline_ms: the latency without a queue, as far as it is known; 0: nothing is.
        ratio: by how much the last window's latency exceeded the baseline; 1: not at all.
        doubts: windows in a row whose latency was too high.
        before: the limit to return to after a look at the floor; 0: there is none.
        calls, sum_ms, peak: the window so far: its calls, their latencies' sum, and most in flight. Calls below 0
            are let pass: they were begun under another limit.
    """

    limit: float
    baseline_ms: float = 0.0
    ratio: float = 1.0
    doubts: int = 0
    before: float = 0.0
    calls: int = 0
    sum_ms: float = 0.0
    peak: int = 0


def answered(known: Gradient, bounds: Bounds, latency_ms: float, in_flight: int) -> Gradient:
    """Return what is known after an answer.

    Args:
        known: what was known.
        bounds: of the limit.
        latency_ms: what the call took.
        in_flight: calls in flight while it was, itself included.
    """
    if known.calls < 0:
        return known._replace(calls=known.calls + 1)
    window = known._replace(
        calls=known.calls + 1, sum_ms=known.sum_ms + max(latency_ms, 0.001), peak=max(known.peak, in_flight)
    )
    if window.calls < max(bounds.window, window.peak):
        return window
    recent_ms = window.sum_ms / window.calls
    return _looked(window, recent_ms) if window.before else _moved(window, bounds, recent_ms)


def unanswered(known: Gradient, bounds: Bounds) -> Gradient:
    """Return what is known after a call that timed out or was refused: fewer at once, and no latency learnt."""
    return known._replace(limit=max(bounds.least, known.limit * _LOST), before=max(0.0, known.before * _LOST))


def _looked(window: Gradient, recent_ms: float) -> Gradient:
    """End a look at the floor: what was waited for there was no queue of our own."""
    return Gradient(max(window.limit, window.before), recent_ms)


def _moved(window: Gradient, bounds: Bounds, recent_ms: float) -> Gradient:
    """Close a window: move the baseline, then the limit."""
    idle = window.peak <= window.limit / 2
    baseline_ms = _baseline(window.baseline_ms, recent_ms, idle=idle)
    ratio = max(1.0, recent_ms / baseline_ms)
    doubts = window.doubts + 1 if ratio > bounds.tolerance else 0
    limit = window.limit if idle else _limit(window.limit, bounds, ratio)
    if doubts >= _DOUBTS:
        floor = min(limit, max(_FLOOR, bounds.least))
        return Gradient(floor, baseline_ms, ratio, before=limit, calls=-math.ceil(limit))
    return Gradient(limit, baseline_ms, ratio, doubts)


def _limit(limit: float, bounds: Bounds, ratio: float) -> float:
    gradient = max(0.5, min(1.0, bounds.tolerance / ratio))
    estimate = limit * gradient + math.sqrt(limit)
    smoothed = limit * (1 - bounds.smoothing) + estimate * bounds.smoothing
    return max(bounds.least, min(bounds.most, smoothed))


def _baseline(known_ms: float, recent_ms: float, *, idle: bool) -> float:
    """Move the baseline; `idle` says that a limit nobody came near has made no queue."""
    if not known_ms:
        return recent_ms
    if recent_ms <= known_ms:
        return known_ms + (recent_ms - known_ms) * _FALLING
    return known_ms + (recent_ms - known_ms) * _RISING if idle else known_ms
