"""What every limit's algorithm says, in the same words."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

NEVER = -1
SLOTS = "c"  # the one kind whose units are held by somebody for a while

# What a store keeps of one limit: whole numbers, or, for slots, (holder, end of lease) pairs.
State = tuple[Any, ...]


class LimitState(NamedTuple):
    """What one limit answered.

    Attributes:
        allowed: whether this limit alone would admit.
        remaining: whole units left, after the charge if the request was charged.
        retry_after_us: 0 if it admits; `NEVER` if it never will.
        debt_us: a bucket's: microseconds until it would be full again; 0 for the others.
        wait_us: a leaky bucket's: microseconds until the reserved start.
        counts: a window's or a quota's state, for another store to go on from.
    """

    allowed: bool
    remaining: int
    retry_after_us: int
    debt_us: int = 0
    wait_us: int = 0
    counts: State = ()


class Decision(NamedTuple):
    """What became of one charge against one limit.

    Attributes:
        allowed: whether this limit alone would admit.
        kept: the state to store if the request is charged.
        charged: how the limit stands then.
        uncharged: how it stands if the request isn't charged, because this or another limit refuses.
    """

    allowed: bool
    kept: State
    charged: LimitState
    uncharged: LimitState

    def state(self, *, charged: bool) -> LimitState:
        """How the limit stands, whether or not the charge was made."""
        return self.charged if charged and self.allowed else self.uncharged


class Known(NamedTuple):
    """What the asker brings along, so that no store has to be trusted to remember everything.

    Attributes:
        debt_us: how far the asker knows a bucket to be from full, at least; microseconds.
        counts: the counters of a window or a quota as the asker last heard them.
        holder: who asks for a slot; unique to the request.
    """

    debt_us: int = 0
    counts: State = ()
    holder: str = ""


class Rule(Protocol):
    """A limit's algorithm with its numbers; frozen, hashable, pure."""

    @property
    def kind(self) -> str:
        """One letter for the algorithm, as the scripts know it."""

    @property
    def numbers(self) -> tuple[int | str, int]:
        """Its two numbers, as scripts take them; a period's ends count for one."""

    def decide(self, state: State | None, now_us: int, cost: int, known: Known) -> Decision:
        """Decide a charge of `cost` units at `now_us`, given what is stored; None if nothing is."""

    def corrected(self, state: State | None, now_us: int, units: int, known: Known) -> State:
        """Return the state after `units` more were found to be due, or fewer if negative; never refuses."""

    def next_unit_us(self, state: LimitState, now_us: int) -> int:
        """Microseconds until something comes back; 0: nobody can say, for it depends on when others end."""

    def kept_for_us(self, state: State, now_us: int) -> int:
        """Microseconds after which the state says no more than none at all would."""
