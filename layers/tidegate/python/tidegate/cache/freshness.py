"""Whether to give a copy, to give it while one request renews it, or to make one. Pure; `cache.lua` is the same.

A copy is renewed before it expires, with a probability that grows towards its end, and earlier the longer it takes to
make: Vattani, Chierichetti, Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015 (XFetch). By a
lease only one request of the fleet renews it.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

BETA = 1.0
# The earliest renewal, in multiples of the time that the response takes; the draw itself is unbounded.
_LONGEST_DRAW = 20.0

Standing = Literal["hit", "stale", "busy", "pass", "lease"]


def draw(uniform: float) -> float:
    """Return how early a renewal begins, in multiples of the time that the response takes.

    Args:
        uniform: a random number from 0 to 1, drawn by the caller, because Lua's in Redis has the same seed at every
            call.
    """
    return min(_LONGEST_DRAW, -BETA * math.log(max(uniform, 1e-12)))


class Kept(NamedTuple):
    """A copy's times, in milliseconds from now; past ones are negative.

    Attributes:
        fresh_ms: until it is stale.
        stale_ms: until it may no longer be given while a new one is made.
        error_ms: until it may not be given at all.
        delta_ms: how long it took to make; not from now.
    """

    fresh_ms: int
    stale_ms: int
    error_ms: int
    delta_ms: int


def standing(kept: Kept | None, *, drawn: float, leased: bool, resting: bool, passing: bool = False) -> Standing:
    """Return what a request gets.

    Args:
        kept: the valid copy, if there is one.
        drawn: the request's `draw`.
        leased: whether another request is making a new one.
        resting: whether a fill has just failed, and isn't to be retried yet.
        passing: whether the last response couldn't be shared (see `hit_for_pass`).

    Returns:
        `hit` or `stale`: the copy; `lease`: make one and keep it; `busy`: another request is making one; `pass`: the
        same, but don't wait for it, as its response probably can't be shared.
    """
    usable = kept is not None and kept.error_ms > 0
    if kept is not None and usable:
        if kept.fresh_ms > 0 and kept.fresh_ms > kept.delta_ms * drawn:
            return "hit"
        if leased or resting:
            if kept.fresh_ms > 0:
                return "hit"
            if kept.stale_ms > 0 or resting:
                return "stale"
    if not leased:
        return "lease"
    return "pass" if passing else "busy"
