"""`LeakyBucket`: a steady pace, with a short wait for requests that are early.

It is the leaky bucket as a queue. Like GCRA it keeps one number: the theoretical arrival time (TAT) at which the next
request may start. A request reserves that start and moves it by its cost. A request of cost n counts as n requests of
cost 1, and starts with the first of them. It is refused if the last of them would wait longer than `max_wait_us`, with
the time until it would pass; if n never fit, it is refused for good. There is no queue anywhere: an admitted request
sleeps until its start.

Source: Turner, "New directions in communications" (1986), the leaky bucket as a shaper; the virtual scheduling of
ITU-T I.371 as in `token_bucket`. nginx's `limit_req` without `nodelay` is the same with a burst for `max_wait`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from tidegate.decision import NEVER, Decision, Known, LimitState, Rule, State
from tidegate.limits.limit import Limit, Rates
from tidegate.limits.token_bucket import moved, start_of_debt


@dataclass(frozen=True, slots=True)
class LeakyBucket(Limit):
    """A limit that shapes: requests start at a steady pace, and wait for their start if it is near.

    Args:
        rate: starts in a period.
        max_wait: the longest that a request waits; one that would have to wait longer is refused, with that time.

    The other arguments are every `Limit`'s. A waiting request occupies its Lambda environment, and is billed. A cost of
    n takes n places in the queue. It has one place for the request that starts, and as many as fit into `max_wait`; a
    request that costs more is never admitted.

    Raises:
        ConfigurationError: the rate or the wait can't be read, or the wait is above 10 s.
    """

    rate: Rates
    max_wait: str = "250ms"
    drain: Drain = field(init=False)

    def __post_init__(self) -> None:
        Limit.__post_init__(self)
        wait_us = self._duration_us("max_wait", self.max_wait)
        if wait_us > 10_000_000:
            raise self._wrong("max_wait", f"{self.max_wait!r} holds a request for too long; write at most '10s'")
        object.__setattr__(self, "drain", Drain(self._rate(self.rate).interval_us, wait_us))
        self._check_cost("write less, or a longer max_wait")

    @property
    def numbers(self) -> str:
        """The rate."""
        return self._written(self.rate)

    @property
    def window_s(self) -> int:
        """The whole seconds in which a full queue has started."""
        return max(1, -(-(self.drain.max_wait_us + self.drain.interval_us) // 1_000_000))

    @property
    def quota(self) -> int:
        """The starts that fit into the window."""
        return max(1, self.window_s * 1_000_000 // self.drain.interval_us)

    def rule(self, now_us: int, zone: str | None = None) -> Rule:
        """Return the drain."""
        del now_us, zone
        return self.drain


@dataclass(frozen=True, slots=True)
class Drain:
    """A leaky bucket's pace, and its longest wait.

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

    @property
    def most(self) -> int:
        """The places of the queue: those that may wait, and the one that starts."""
        return self.room(0)

    def latest_us(self, cost: int) -> int:
        """Microseconds from now within which a request must start for its last unit to start in `max_wait_us`."""
        return self.max_wait_us - (max(1, cost) - 1) * self.interval_us

    def decide(self, state: State | None, now_us: int, cost: int, known: Known) -> Decision:
        """Reserve a start; the state is the TAT alone."""
        start = start_of_debt(state[0] if state else None, now_us, known.debt_us)
        wait, latest = start - now_us, self.latest_us(cost)
        room = self.room(wait)
        if wait > latest:
            retry_after = wait - latest if cost <= self.most else NEVER
            refused = LimitState(allowed=False, remaining=room, retry_after_us=retry_after, debt_us=wait)
            return Decision(allowed=False, kept=(start,), charged=refused, uncharged=refused)
        after = start + cost * self.interval_us
        standing = LimitState(allowed=True, remaining=room, retry_after_us=0, debt_us=wait, wait_us=wait)
        reserved = standing._replace(remaining=self.room(after - now_us), debt_us=after - now_us)
        return Decision(allowed=True, kept=(after,), charged=reserved, uncharged=standing)

    def corrected(self, state: State | None, now_us: int, units: int, known: Known) -> State:
        """Move the next start by so many intervals: never into the past, and no further ahead than `moved` permits."""
        start = start_of_debt(state[0] if state else None, now_us, known.debt_us)
        return (moved(start, now_us, units * self.interval_us, self.max_wait_us),)

    def next_unit_us(self, state: LimitState, now_us: int) -> int:
        """One interval."""
        del state, now_us
        return self.interval_us

    def kept_for_us(self, state: State, now_us: int) -> int:
        """Until the next request can start at once."""
        return max(0, int(state[0]) - now_us)

    def room(self, wait_us: int) -> int:
        """How many requests of cost 1 could still reserve a start now."""
        return 0 if wait_us > self.max_wait_us else (self.max_wait_us - wait_us) // self.interval_us + 1
