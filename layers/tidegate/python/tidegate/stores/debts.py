"""What this environment last heard of each bucket, carried to whichever store is asked next.

A store that takes over remembers little or nothing of a bucket, and one that comes back may have come back
empty. The environment knows better: every answer says how far the bucket is in debt, a debt falls by one
microsecond in each, and so the larger of two tales of the same bucket is the truer one. Carrying the debt along
makes a change of store exact for the environment that makes it: burst + rate * time over all stores together,
and nobody gets a fresh bucket on the way back, nor loses the one he had.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from threading import Lock

from tidegate.clock import Clock
from tidegate.question import Answer, Charge, Question


class Debts:
    """Remembers when the known buckets will be full again; thread-safe.

    Args:
        clock: where the time comes from.
        capacity: subjects remembered; beyond it the one unheard of for longest is forgotten.
    """

    def __init__(self, clock: Clock, capacity: int = 10_000) -> None:
        self._clock = clock
        self._capacity = capacity
        self._full_at: OrderedDict[str, dict[str, float]] = OrderedDict()
        self._lock = Lock()

    def carried_by(self, question: Question) -> Question:
        """Return the question with what is known of its buckets."""
        known = self._full_at.get(question.subject)
        if not known:
            return question
        now = self._clock.monotonic()
        return replace(question, charges=tuple(_with_debt(c, known.get(c.key, now) - now) for c in question.charges))

    def heard(self, question: Question, answer: Answer, asked_at: float) -> None:
        """Note what a store said, as of the moment it was asked: later would make each debt grow by the delay."""
        if not answer.limits:
            return
        with self._lock:
            known = self._full_at.setdefault(question.subject, {})
            for charge, state in zip(question.charges, answer.limits, strict=True):
                known[charge.key] = max(known.get(charge.key, 0.0), asked_at + state.debt_us / 1_000_000)
            self._full_at.move_to_end(question.subject)
            if len(self._full_at) > self._capacity:
                self._full_at.popitem(last=False)


def _with_debt(charge: Charge, seconds: float) -> Charge:
    return replace(charge, known_debt_us=int(seconds * 1_000_000)) if seconds > 0 else charge
