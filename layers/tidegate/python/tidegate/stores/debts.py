"""What this environment last heard of each bucket, carried to whichever store is asked next.

A store that takes over remembers little or nothing of a bucket, and one that comes back may have come back
empty. The environment knows better: every answer says how far the bucket is in debt, a debt falls by one
microsecond in each, and so the larger of two tales of the same bucket is the truer one. Carrying the debt along
makes a change of store exact for the environment that makes it: burst + rate * time over all stores together,
and nobody gets a fresh bucket on the way back, nor loses the one he had.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from threading import Lock

from tidegate.clock import Clock
from tidegate.question import Answer, Charge, Question


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time on both clocks, of which one may have stood still while the environment was frozen."""

    monotonic: float
    wall_us: int

    def us_until(self, later: Moment) -> int:
        """Microseconds to a later moment, by the clock that makes it fewer."""
        return min(int((later.monotonic - self.monotonic) * 1_000_000), later.wall_us - self.wall_us)

    def plus(self, us: int) -> Moment:
        """The moment so many microseconds later."""
        return Moment(self.monotonic + us / 1_000_000, self.wall_us + us)


class Debts:
    """Remembers when the known buckets will be full again; thread-safe.

    Args:
        clock: where the time comes from.
        capacity: subjects remembered; beyond it the one unheard of for longest is forgotten.
    """

    def __init__(self, clock: Clock, capacity: int = 10_000) -> None:
        self._clock = clock
        self._capacity = capacity
        self._full_at: OrderedDict[str, dict[str, Moment]] = OrderedDict()
        self._lock = Lock()

    def now(self) -> Moment:
        """The moment to give to `heard`: that at which a store is asked."""
        return Moment(self._clock.monotonic(), self._clock.wall_us())

    def carried_by(self, question: Question) -> Question:
        """Return the question with what is known of its buckets."""
        known = self._full_at.get(question.subject)
        if not known:
            return question
        now = self.now()
        return replace(question, charges=tuple(_with_debt(c, now, known.get(c.key)) for c in question.charges))

    def heard(self, question: Question, answer: Answer, asked: Moment) -> None:
        """Note what a store said, as of the moment it was asked: later would make each debt grow by the delay.

        A debt taken on in this environment's memory, as one of many, may be deeper than the whole fleet's bucket:
        beyond its depth nothing is carried, for a bucket can't be emptier than empty.
        """
        if not answer.limits:
            return
        with self._lock:
            known = self._full_at.setdefault(question.subject, {})
            for charge, state in zip(question.charges, answer.limits, strict=True):
                full_at = asked.plus(min(state.debt_us, charge.bucket.depth_us))
                before = known.get(charge.key)
                if before is None or asked.us_until(before) < asked.us_until(full_at):
                    known[charge.key] = full_at
            self._full_at.move_to_end(question.subject)
            if len(self._full_at) > self._capacity:
                self._full_at.popitem(last=False)


def _with_debt(charge: Charge, now: Moment, full_at: Moment | None) -> Charge:
    debt_us = 0 if full_at is None else now.us_until(full_at)
    return replace(charge, known_debt_us=debt_us) if debt_us > 0 else charge
