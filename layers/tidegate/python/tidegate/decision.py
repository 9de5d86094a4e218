"""The types that all limits' algorithms share: rules, their state and their decisions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

NEVER = -1
# More units than any limit holds; units beyond it aren't counted. A dozen times as many are exact in Lua's doubles.
MOST_UNITS = 2**48
# The longest debt that a correction can make, as a handler may report any cost; a longer one is cut to this.
LONGEST_DEBT_US = 31 * 86_400_000_000
SLOTS = "c"  # the one kind whose units are held for a while

# A limit's state in a store: whole numbers; for slots (holder, end of lease) pairs.
State = tuple[Any, ...]


class LimitState(NamedTuple):
    """One limit's answer to a charge.

    Attributes:
        allowed: whether this limit alone would admit.
        remaining: whole units left, after the charge if the request was charged.
        retry_after_us: 0 if it admits; `NEVER` if it never will.
        debt_us: a bucket's: microseconds until it would be full again; 0 for the others.
        wait_us: a leaky bucket's: microseconds until the reserved start.
        counts: a window's or a quota's state, from which another store can continue.
    """

    allowed: bool
    remaining: int
    retry_after_us: int
    debt_us: int = 0
    wait_us: int = 0
    counts: State = ()


class Decision(NamedTuple):
    """The decision on one charge by one limit.

    Attributes:
        allowed: whether this limit alone would admit.
        kept: the state to store if the request is charged.
        charged: the limit's answer if the request is charged.
        uncharged: its answer if the request isn't charged, because this or another limit refuses.
    """

    allowed: bool
    kept: State
    charged: LimitState
    uncharged: LimitState

    def state(self, *, charged: bool) -> LimitState:
        """Return the limit's answer, given whether the request is charged."""
        return self.charged if charged and self.allowed else self.uncharged


class Known(NamedTuple):
    """The carried state of a limit, which fills in what a store has forgotten.

    Attributes:
        debt_us: the least debt of a bucket, as this environment knows it; microseconds until it is full.
        counts: the latest counters of a window or a quota; in a correction, those at the time of the charge.
        holder: the name of a slot's holder; unique to the request.
    """

    debt_us: int = 0
    counts: State = ()
    holder: str = ""


class Rule(Protocol):
    """A limit's algorithm with its numbers; frozen, hashable, pure."""

    @property
    def kind(self) -> str:
        """The algorithm's letter, which the scripts use."""

    @property
    def numbers(self) -> tuple[int | str, int]:
        """Its two numbers, in the scripts' form; a period's moments are one text."""

    @property
    def most(self) -> int:
        """The most units that one request can cost; one that costs more is never admitted."""

    def decide(self, state: State | None, now_us: int, cost: int, known: Known) -> Decision:
        """Decide a charge of `cost` units at `now_us`, given the stored state; None if there is none."""

    def corrected(self, state: State | None, now_us: int, units: int, known: Known) -> State:
        """Return the state after a correction by so many units, which may be negative; never refuses."""

    def next_unit_us(self, state: LimitState, now_us: int) -> int:
        """Return the microseconds until a unit comes back; 0: unknown, since it depends on other requests' ends."""

    def kept_for_us(self, state: State, now_us: int) -> int:
        """Return the microseconds after which the state doesn't differ from none."""


# The answer, the state to keep, and until when that counts; epoch microseconds.
QuickDecision = tuple[LimitState, State, int]
# A rule's `decide_quickly`, which not every kind has. It decides as `decide` does, but makes only the answer that
# holds, for a store in memory, where that is all the work. Its arguments: the stored state, the time, units, and a
# bucket's debt.
Quickly = Callable[[State, int, int, int], QuickDecision]


class Counting(Rule, Protocol):
    """A rule that counts units by the time of their charge, and whose counts are carried from store to store."""

    def merged(self, one: State, other: State, now_us: int) -> State:
        """Return the state now that follows from two snapshots: no fewer units than in either."""

    def knows(self, state: State | None, now_us: int) -> bool:
        """Return whether a store with this state has counted in the current window or period."""

    def evenly_used(self, state: State | None, now_us: int, since_us: int, known: Known) -> State:
        """Return the counts to assume if a store knows too little: as if use had been even up to `since_us`."""


def by_count(room: int, cost: int, retry_after_us: int, kept: State, seen: State) -> Decision:
    """Decide a charge of a rule that counts.

    Args:
        room: units that are left.
        cost: units that are asked for.
        retry_after_us: when the same request could pass; 0 if it passes.
        kept: the counts with the charge.
        seen: the counts without it.
    """
    allowed = cost <= room
    return Decision(
        allowed,
        kept,
        LimitState(allowed, max(0, room - cost), retry_after_us, counts=kept),
        LimitState(allowed, room, retry_after_us, counts=seen),
    )
