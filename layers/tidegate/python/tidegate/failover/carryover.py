"""The latest snapshot of each limit, kept by this environment and sent with the next question to any store.

A store that takes over knows little or nothing of a bucket, and a store that returns may have lost its memory. This
environment fills the gap. Every answer contains the bucket's debt in microseconds. A debt falls by one microsecond per
microsecond, so two snapshots of one bucket can be compared, and the larger one is right. With the debt sent along, a
change of store is exact for this environment: all stores together admit burst + rate * time. A caller neither gets a
fresh bucket by the change nor loses his own. The counters of windows and quotas are carried in the same way. Slots
aren't carried, because each holder renews its lease in the store that is asked.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import cast

from tidegate.clock import Clock, Moment
from tidegate.decision import LONGEST_DEBT_US, Counting, LimitState, State
from tidegate.limits.leaky_bucket import Drain
from tidegate.limits.token_bucket import Bucket
from tidegate.messages import Answer, Charge, Question

# The kind is part of the key: a limit that changes its algorithm starts anew, since kinds don't share a format.
_Key = tuple[str, str, str]


class CarriedState:
    """Remembers when each bucket will be full again, and the counters of windows and quotas; thread-safe.

    Args:
        clock: where the time comes from.
        capacity: how many limits are remembered; beyond it the least recently answered is forgotten.
    """

    def __init__(self, clock: Clock, capacity: int = 20_000) -> None:
        self._clock = clock
        self._capacity = capacity
        self._known: OrderedDict[_Key, Moment | State] = OrderedDict()
        self._lock = Lock()

    def now(self) -> Moment:
        """Return the moment at which a store is asked, for `heard`."""
        return Moment(self._clock.monotonic(), self._clock.wall_us())

    def carried_by(self, question: Question, now: Moment) -> Question:
        """Return the question with the snapshots of its limits."""
        subject, charges, claim, on_outage, peek, cache = question  # `_replace` takes three times as long
        carrying = [_carrying(c, self._known.get((question.subject_of(c), c.key, c.rule.kind)), now) for c in charges]
        return Question(subject, tuple(carrying), claim, on_outage, peek, cache)

    def heard(self, question: Question, answer: Answer, asked: Moment, *, buckets: bool = True) -> None:
        """Note a store's answer.

        A snapshot counts as of the moment of the question. A later moment would make each debt grow by the delay.

        Args:
            question: the question.
            answer: the store's answer to it.
            asked: the moment of the question, from `now`.
            buckets: whether to keep the buckets' debts. A debt isn't the fleet's if it belongs to an environment's
                share, or to a bucket that refills by the fallback clock.
        """
        if not answer.limits:
            return
        with self._lock:
            for charge, state in zip(question.charges, answer.limits, strict=True):
                key = (question.subject_of(charge), charge.key, charge.rule.kind)
                snapshot = _snapshot(charge, state, asked)
                if snapshot is None or (isinstance(snapshot, Moment) and not buckets):
                    continue
                before = self._known.get(key)
                self._known[key] = snapshot if before is None else _later(charge, before, snapshot, asked.wall_us)
                self._known.move_to_end(key)
            while len(self._known) > self._capacity:
                self._known.popitem(last=False)

    def put_right(self, subject: str, charges: Sequence[Charge]) -> None:
        """Note corrections, so that units that were given back aren't carried as a debt."""
        if not charges:
            return
        now = self.now()
        with self._lock:
            for charge in charges:
                key = (charge.subject or subject, charge.key, charge.rule.kind)
                snapshot = self._known.get(key)
                if snapshot is not None:
                    self._known[key] = _put_right(charge, snapshot, now)


def _put_right(charge: Charge, snapshot: Moment | State, now: Moment) -> Moment | State:
    rule = charge.rule
    if not isinstance(snapshot, Moment):
        return rule.corrected(snapshot, now.wall_us, charge.cost, charge.known)
    due_us = charge.cost * rule.interval_us if isinstance(rule, Bucket | Drain) else 0
    return snapshot.plus(min(due_us, LONGEST_DEBT_US))


def _snapshot(charge: Charge, state: LimitState, asked: Moment) -> Moment | State | None:
    """Return the snapshot to remember; None if there is none.

    A debt from this environment's memory store may be deeper than the fleet's bucket, because its share refills more
    slowly. Only the bucket's depth is carried: a bucket can't be emptier than empty.
    """
    rule = charge.rule
    if isinstance(rule, Bucket):
        return asked.plus(min(state.debt_us, rule.depth_us))
    if isinstance(rule, Drain):
        return asked.plus(min(state.debt_us, rule.max_wait_us + charge.cost * rule.interval_us))
    return state.counts or None


def _later(charge: Charge, before: Moment | State, snapshot: Moment | State, now_us: int) -> Moment | State:
    if isinstance(before, Moment) and isinstance(snapshot, Moment):
        return snapshot if before.precedes(snapshot) else before
    if isinstance(before, Moment) or isinstance(snapshot, Moment):
        return snapshot
    return cast("Counting", charge.rule).merged(before, snapshot, now_us)


def _carrying(charge: Charge, snapshot: Moment | State | None, now: Moment) -> Charge:
    if snapshot is None:
        return charge
    key, rule, cost, debt_us, subject, shadow, counts, holder = charge
    if isinstance(snapshot, Moment):
        debt_us = max(debt_us, now.us_until(snapshot))
    else:
        counts = snapshot
    return Charge(key, rule, cost, debt_us, subject, shadow, counts, holder)
