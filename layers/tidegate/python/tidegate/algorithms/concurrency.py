"""Concurrency slots: at most so many requests at the same time, each on a lease.

A slot is freed when its request settles; a holder that dies frees it by its lease's end; one that lives longer
renews the lease (a heartbeat). Source: Gray and Cheriton, "Leases" (SOSP 1989).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tidegate.algorithms.decision import Decision, Known, LimitState, State


@dataclass(frozen=True, slots=True)
class Slots:
    """How many, and for how long without a sign of life.

    Attributes:
        slots: requests at the same time.
        lease_us: microseconds after which a silent holder's slot is free again.
    """

    kind: ClassVar[str] = "c"

    slots: int
    lease_us: int

    @property
    def numbers(self) -> tuple[int, int]:
        """Its two numbers, as scripts take them."""
        return self.slots, self.lease_us

    def decide(self, state: State | None, now_us: int, cost: int, known: Known) -> Decision:
        """Take a slot, or keep the one that the holder has; the state is pairs of (holder, lease's end)."""
        del cost
        others = tuple(held for held in self.alive(state, now_us) if held[0] != known.holder)
        free = self.slots - len(others)
        if free <= 0:
            ends = min((end for _, end in others), default=now_us + self.lease_us)
            refused = LimitState(allowed=False, remaining=0, retry_after_us=max(1, ends - now_us))
            return Decision(allowed=False, kept=others, charged=refused, uncharged=refused)
        kept = (*others, (known.holder, now_us + self.lease_us))
        taken = LimitState(allowed=True, remaining=free - 1, retry_after_us=0)
        return Decision(allowed=True, kept=kept, charged=taken, uncharged=taken._replace(remaining=free))

    def alive(self, state: State | None, now_us: int) -> State:
        """Return the slots whose leases stand."""
        return tuple((holder, end) for holder, end in state or () if end > now_us)

    def corrected(self, state: State | None, now_us: int, units: int, known: Known) -> State:
        """Free the holder's slot (a negative correction), or renew its lease, whether or not it still has one.

        A holder whose lease has run out is running all the same: it counts, even beyond the limit.
        """
        others = tuple(held for held in self.alive(state, now_us) if held[0] != known.holder)
        return others if units < 0 else (*others, (known.holder, now_us + self.lease_us))

    def next_unit_us(self, state: LimitState, now_us: int) -> int:
        """Nobody knows when a holder ends."""
        del state, now_us
        return 0

    def kept_for_us(self, state: State, now_us: int) -> int:
        """Until the last lease ends."""
        return max([0, *(int(end) - now_us for _, end in state)])
