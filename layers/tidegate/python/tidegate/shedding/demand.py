"""How many requests would be in flight if all were admitted, estimated from what has just run and been refused.

By Little's law the requests in flight equal the seconds of run time per second. This is measured for requests that run.
Refused ones, and cold starts, have no usable run time: each counts with the mean run time of its criticality. A
criticality without any run counts as no demand, so it is let in, and thereby measured.

Everything is forgotten after `KEPT_S`. So a wrong estimate corrects itself by then; an exponentially fading one, or one
that each refusal confirms, could keep out the runs that would correct it.

The standard error is known, too. The run time in a window is a sum of runs that arrive at random, so its variance is
the sum of their squares (a compound Poisson process).

Source: Little, "A Proof for the Queuing Formula L = λW", 1961.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from tidegate.shedding.pressure import Demand

SLOT_S = 0.3
# The window of the estimate: the elapsed part of the newest slot, three slots, and the remaining part of the oldest.
COUNTED_S = 1.2
_SLOTS = 5
# The mean run time is taken over all slots, because few requests run while most are refused.
KEPT_S = SLOT_S * _SLOTS

# The offsets of a slot's numbers, the first four for each criticality from `critical` on: the seconds that were run in
# it, the arrivals that weren't measured, the runs that ended, the seconds that those took; and once, the sum of the
# squared run times within the slot.
SECONDS, UNMEASURED, ENDED, TOOK, SQUARES = 0, 3, 6, 9, 12
NUMBERS = 13
_CRITICALITIES = (0, 1, 2)


class Measured(NamedTuple):
    """A demand and its standard error.

    Attributes:
        demand: requests that would be in flight if all were admitted.
        doubt: the standard error of its sum over all criticalities.
    """

    demand: Demand = Demand()
    doubt: float = 0.0

    def times(self, environments: int) -> Measured:
        """Return the demand of so many environments like this one."""
        return Measured(self.demand.times(environments), self.doubt * math.sqrt(environments))


class TimeSlots:
    """The last `KEPT_S` seconds in slots; `stores/redis/lua/demand.lua` is the same.

    Attributes:
        newest: the numbers of the latest slot.
    """

    __slots__ = ("_at", "_slots", "newest")

    def __init__(self) -> None:
        self._at = 0
        self._slots = [[0.0] * NUMBERS for _ in range(_SLOTS)]
        self.newest = self._slots[0]

    def turn(self, now_s: float) -> list[float]:
        """Advance to a time, and return its slot; an earlier time than the last one counts as that."""
        return self._turn(int(now_s / SLOT_S))

    def _turn(self, at: int) -> list[float]:
        if at > self._at:
            new = [[0.0] * NUMBERS for _ in range(min(_SLOTS, at - self._at))]
            self._slots = (new + self._slots)[:_SLOTS]
            self._at, self.newest = at, self._slots[0]
        return self.newest

    def run(self, criticality: int, requests: int, since_s: float, until_s: float) -> None:
        """Count concurrent runs from one time to another, each slot's part in that slot."""
        last = int(until_s / SLOT_S)
        for at in range(max(int(since_s / SLOT_S), last - _SLOTS + 1), last + 1):
            lasted_s = min(until_s, (at + 1) * SLOT_S) - max(since_s, at * SLOT_S)
            if lasted_s > 0.0:
                slot = self._turn(at)
                slot[SECONDS + criticality] += requests * lasted_s
                slot[SQUARES] += requests * lasted_s * lasted_s

    def measure(self, now_s: float) -> Measured:
        """Return the demand at a time."""
        self.turn(now_s)
        return measure(self._slots, min(1.0, max(0.0, now_s / SLOT_S - self._at)))


def measure(slots: Sequence[Sequence[float]], passed: float) -> Measured:
    """Return the demand that slots show.

    Args:
        slots: their numbers, the newest slot first.
        passed: the elapsed share of the newest slot, 0 to 1.
    """
    rest = 1.0 - passed
    demand, refused, ran = [], 0.0, 0.0
    first, second, third, fourth, fifth = slots
    for i in _CRITICALITIES:
        seconds = first[i] + second[i] + third[i] + fourth[i] + fifth[i] * rest
        j = UNMEASURED + i
        unmeasured = first[j] + second[j] + third[j] + fourth[j] + fifth[j] * rest
        j = ENDED + i
        ended = first[j] + second[j] + third[j] + fourth[j] + fifth[j]
        ran += ended - fifth[j] * passed
        if unmeasured > 0.0:
            refused += unmeasured
            if ended > 0.0:
                j = TOOK + i
                took = first[j] + second[j] + third[j] + fourth[j] + fifth[j]
                seconds += unmeasured * took / ended
        demand.append(seconds / COUNTED_S if seconds > 0.0 else 0.0)
    j = SQUARES
    squares = first[j] + second[j] + third[j] + fourth[j] + fifth[j] * rest
    if squares <= 0.0:
        return Measured(Demand(*demand))
    scale = 1.0 + refused / max(1.0, ran)
    return Measured(Demand(*demand), math.sqrt(squares * scale) / COUNTED_S)
