"""The leaky bucket as a queue: requests start at a steady pace, and wait for their turn if it is near.

It keeps one number like GCRA: the theoretical arrival time (TAT) at which the next request may start. A request
reserves that start and moves it by its cost; one that would wait longer than `max_wait_us` is refused and told
when it wouldn't. Nothing is queued anywhere: the caller sleeps until its start.

Source: Turner, "New directions in communications" (1986), the leaky bucket as a shaper; the virtual scheduling of
ITU-T I.371 as in `token_bucket`. nginx's `limit_req` without `nodelay` is the same with a burst for `max_wait`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tidegate.algorithms.decision import Decision, Known, LimitState, State
from tidegate.algorithms.token_bucket import start_of_debt


@dataclass(frozen=True, slots=True)
class Drain:
    """A leaky bucket's pace and patience.

    Attributes:
        interval_us: microseconds between the starts of two requests of cost 1.
        max_wait_us: the longest that a request may have to wait for its start.
    """

    kind: ClassVar[str] = "d"

    interval_us: int
    max_wait_us: int

    @property
    def numbers(self) -> tuple[int, int]:
        """Its two numbers, as scripts take them."""
        return self.interval_us, self.max_wait_us

    def decide(self, state: State | None, now_us: int, cost: int, known: Known) -> Decision:
        """Reserve a start; the state is the TAT alone. No cost is refused for good: it only takes its time."""
        start = start_of_debt(state[0] if state else None, now_us, known.debt_us)
        wait = start - now_us
        if wait > self.max_wait_us:
            refused = LimitState(allowed=False, remaining=0, retry_after_us=wait - self.max_wait_us, debt_us=wait)
            return Decision(allowed=False, kept=(start,), charged=refused, uncharged=refused)
        after = start + cost * self.interval_us
        standing = LimitState(allowed=True, remaining=self._room(wait), retry_after_us=0, debt_us=wait, wait_us=wait)
        reserved = standing._replace(remaining=self._room(after - now_us), debt_us=after - now_us)
        return Decision(allowed=True, kept=(after,), charged=reserved, uncharged=standing)

    def corrected(self, state: State | None, now_us: int, units: int, known: Known) -> State:
        """Move the next start by as many intervals, never into the past."""
        start = start_of_debt(state[0] if state else None, now_us, known.debt_us)
        return (max(now_us, start + units * self.interval_us),)

    def next_unit_us(self, state: LimitState, now_us: int) -> int:
        """One interval."""
        del state, now_us
        return self.interval_us

    def kept_for_us(self, state: State, now_us: int) -> int:
        """Until the next start may be at once."""
        return max(0, int(state[0]) - now_us)

    def _room(self, wait_us: int) -> int:
        """How many requests of cost 1 could still reserve a start now."""
        return 0 if wait_us > self.max_wait_us else (self.max_wait_us - wait_us) // self.interval_us + 1
