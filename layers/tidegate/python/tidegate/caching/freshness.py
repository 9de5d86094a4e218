"""What is to be done with a copy: given, given while one makes a new one, or made. Pure; `cache.lua` is the same.

A copy is renewed before it expires with a probability that grows as its end comes nearer, the sooner the longer it
takes to make: Vattani, Chierichetti, Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015
(XFetch). A lease makes the one who begins the only one.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

BETA = 1.0
# So much earlier at most, in multiples of the time that the answer takes: the draw has no bound of its own.
_LONGEST_DRAW = 20.0

Standing = Literal["hit", "stale", "busy", "lease"]


def draw(uniform: float) -> float:
    """Return how many times the making's duration a renewal begins early.

    Args:
        uniform: a random number from 0 to 1, drawn by the asker: a script's own would be the same at every call.
    """
    return min(_LONGEST_DRAW, -BETA * math.log(max(uniform, 1e-12)))


class Kept(NamedTuple):
    """A copy's times, in milliseconds from now; past ones are negative.

    Attributes:
        fresh_ms: to the end of its freshness.
        stale_ms: to when it isn't given any more while a new one is made.
        error_ms: to when it isn't given any more at all.
        delta_ms: what making it took.
    """

    fresh_ms: int
    stale_ms: int
    error_ms: int
    delta_ms: int


def standing(kept: Kept | None, *, drawn: float, leased: bool, resting: bool) -> Standing:
    """Say what an asker gets.

    Args:
        kept: the valid copy, if there is one.
        drawn: the asker's `draw`.
        leased: whether somebody else is making a new one.
        resting: whether making one has just failed, and isn't to be tried again yet.

    Returns:
        `hit` or `stale`: the copy; `lease`: make it, and keep it; `busy`: somebody else is about to.
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
    return "busy" if leased else "lease"
