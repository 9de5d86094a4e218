"""What this environment last heard of each limit, carried to whichever store is asked next.

A store that takes over remembers little or nothing of a bucket, and one that comes back may have come back
empty. The environment knows better: every answer says how far the bucket is in debt, a debt falls by one
microsecond in each, and so the larger of two tales of the same bucket is the truer one. Carrying the debt along
makes a change of store exact for the environment that makes it: burst + rate * time over all stores together,
and nobody gets a fresh bucket on the way back, nor loses the one he had. Of windows and quotas the counters are
carried in the same way; of slots nothing, for each holder renews its own in whatever store is asked.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import NamedTuple

from tidegate.algorithms.decision import LimitState, State
from tidegate.algorithms.leaky_bucket import Drain
from tidegate.algorithms.token_bucket import Bucket
from tidegate.clock import Clock
from tidegate.question import Answer, Charge, Question

_Key = tuple[str, str]


class Moment(NamedTuple):
    """A point in time on both clocks, of which one may have stood still while the environment was frozen."""

    monotonic: float
    wall_us: int

    def us_until(self, later: Moment) -> int:
        """Microseconds to a later moment, by the clock that makes it fewer."""
        return min(int((later.monotonic - self.monotonic) * 1_000_000), later.wall_us - self.wall_us)

    def precedes(self, other: Moment) -> bool:
        """Whether it is earlier, by either clock."""
        return self.monotonic < other.monotonic or self.wall_us < other.wall_us

    def plus(self, us: int) -> Moment:
        """The moment so many microseconds later."""
        return Moment(self.monotonic + us / 1_000_000, self.wall_us + us)


class Debts:
    """Remembers when the known buckets will be full again, and what was counted in the known windows; thread-safe.

    Args:
        clock: where the time comes from.
        capacity: limits remembered; beyond it the one unheard of for longest is forgotten.
    """

    def __init__(self, clock: Clock, capacity: int = 20_000) -> None:
        self._clock = clock
        self._capacity = capacity
        self._known: OrderedDict[_Key, Moment | State] = OrderedDict()
        self._lock = Lock()

    def now(self) -> Moment:
        """The moment to give to `heard`: that at which a store is asked."""
        return Moment(self._clock.monotonic(), self._clock.wall_us())

    def carried_by(self, question: Question, now: Moment) -> Question:
        """Return the question with what is known of its limits."""
        subject, charges, claim, on_outage, peek, cache = question  # `_replace` takes three times as long
        carrying = [_carrying(c, self._known.get((question.subject_of(c), c.key)), now) for c in charges]
        return Question(subject, tuple(carrying), claim, on_outage, peek, cache)

    def heard(self, question: Question, answer: Answer, asked: Moment, *, buckets: bool = True) -> None:
        """Note what a store said, as of the moment it was asked: later would make each debt grow by the delay.

        Args:
            question: what was asked.
            answer: what was said.
            asked: when.
            buckets: whether the buckets' debts count elsewhere: one that many share out, or that goes by the
                fallback's clock, says nothing of the fleet's.
        """
        if not answer.limits:
            return
        with self._lock:
            for charge, state in zip(question.charges, answer.limits, strict=True):
                key = (question.subject_of(charge), charge.key)
                tale = _tale(charge, state, asked)
                if tale is None or (isinstance(tale, Moment) and not buckets):
                    continue
                before = self._known.get(key)
                self._known[key] = tale if before is None else _later(before, tale)
                self._known.move_to_end(key)
            while len(self._known) > self._capacity:
                self._known.popitem(last=False)

    def put_right(self, subject: str, charges: Sequence[Charge]) -> None:
        """Note corrections, so that what was given back isn't carried along as owed."""
        if not charges:
            return
        with self._lock:
            for charge in charges:
                key = (charge.subject or subject, charge.key)
                tale = self._known.get(key)
                if tale is not None:
                    self._known[key] = _put_right(charge, tale)


def _put_right(charge: Charge, tale: Moment | State) -> Moment | State:
    if isinstance(tale, Moment):
        interval_us = charge.rule.interval_us if isinstance(charge.rule, Bucket | Drain) else 0
        return tale.plus(charge.cost * interval_us)
    counts = list(tale)
    counts[1] = max(0, counts[1] + charge.cost)
    return tuple(counts)


def _tale(charge: Charge, state: LimitState, asked: Moment) -> Moment | State | None:
    """What there is to remember.

    A debt taken on in this environment's memory, as one of many, may be deeper than the whole fleet's bucket:
    beyond its depth nothing is carried, for a bucket can't be emptier than empty.
    """
    rule = charge.rule
    if isinstance(rule, Bucket):
        return asked.plus(min(state.debt_us, rule.depth_us))
    if isinstance(rule, Drain):
        return asked.plus(min(state.debt_us, rule.max_wait_us + charge.cost * rule.interval_us))
    return state.counts or None


def _later(before: Moment | State, tale: Moment | State) -> Moment | State:
    if isinstance(before, Moment) and isinstance(tale, Moment):
        return tale if before.precedes(tale) else before
    if isinstance(before, Moment) or isinstance(tale, Moment) or len(before) != len(tale):
        return tale  # the limit has changed its algorithm
    # Counters of one window or period only grow; those of a later one replace them.
    return tuple(map(max, before, tale)) if before[0] == tale[0] else max(before, tale)


def _carrying(charge: Charge, tale: Moment | State | None, now: Moment) -> Charge:
    if tale is None:
        return charge
    key, rule, cost, debt_us, subject, shadow, counts, holder = charge
    if isinstance(tale, Moment):
        debt_us = max(debt_us, now.us_until(tale))
    else:
        counts = tale
    return Charge(key, rule, cost, debt_us, subject, shadow, counts, holder)
