"""Prefetch of tokens for hot keys in DynamoDB: several tokens in one write, spent without asking again.

One item takes a thousand writes a second. An environment that asks for the same bucket often takes as many tokens as
it will need until its next write, but only a part of what the bucket holds. Tokens that aren't spent within a second
are given back. A refusal is remembered until a token is due. A bucket that is asked for rarely costs one write for each
request, and is exact. Tokens are charged when they are taken, so an environment that dies with some admits less.
"""

from __future__ import annotations

import random
from collections import OrderedDict
from dataclasses import dataclass, field
from math import ceil, inf
from threading import Lock

from tidegate.background import Background
from tidegate.clock import Clock
from tidegate.decision import NEVER, LimitState
from tidegate.limits.token_bucket import Bucket
from tidegate.messages import Answer, Charge, Question, Settlement
from tidegate.stores.base import Store
from tidegate.stores.fleet import FleetView

# Of the thousand writes a second that an item takes: a decision may need two, and an item may hold several buckets.
WRITES_PER_S = 250
HOT_PER_S = 5.0
LEASED_FOR_S = 1.0
_LONGEST_REFUSAL_S = 0.25
_SHORTEST_S = 0.05
_MOST_PARTS = 4

_Key = tuple[tuple[str, str, Bucket, int], ...]


@dataclass(slots=True)
class TokenBatch:
    """This environment's prefetched tokens for one question, and how often the question comes.

    Attributes:
        question: the question, for one request.
        left: how many more requests are paid for.
        until: when the tokens are given back; monotonic seconds.
        refused_until: how long the latest refusal stands; monotonic seconds.
        answer: the latest answer.
        paid: the latest answer that admitted.
        counting_since: when `count` began; monotonic seconds.
        count: requests since then.
        rate_per_s: requests per second before that.
    """

    question: Question
    left: int = 0
    until: float = 0.0
    refused_until: float = 0.0
    answer: Answer | None = None
    paid: Answer | None = None
    counting_since: float = 0.0
    count: int = 0
    rate_per_s: float = field(default=0.0)

    def asked(self, now: float) -> None:
        """Count a request."""
        past = now - self.counting_since
        if past >= 1:
            self.rate_per_s = self.count / past if past < 2 else 0.0
            self.counting_since, self.count = now, 0
        self.count += 1

    @property
    def per_s(self) -> float:
        """Requests a second."""
        return max(self.rate_per_s, self.count)

    def room(self, fleet: int, gap_s: float) -> int:
        """Return how many requests' tokens may be taken at once, so that enough is left for other environments.

        Args:
            fleet: how many environments there are.
            gap_s: seconds between this environment's writes.
        """
        known = self.answer.limits if self.answer is not None else ()
        holds = min(
            (state.remaining // c.cost for c, state in zip(self.question.charges, known, strict=False)), default=0
        )
        refills = min(gap_s * 2e6 / (_bucket(c).interval_us * c.cost * fleet) for c in self.question.charges)
        return max(1, holds // min(fleet + 1, _MOST_PARTS), int(refills))


class TokenPrefetch:
    """A store in front of another one, which it asks less often for hot buckets.

    Args:
        store: the store that decides.
        clock: where the time comes from.
        view: the fleet's size.
        background: gives tokens back.
        capacity: how many questions are remembered.
    """

    def __init__(
        self, store: Store, clock: Clock, view: FleetView, background: Background, capacity: int = 1000
    ) -> None:
        self._store = store
        self._clock = clock
        self._view = view
        self._background = background
        self._capacity = capacity
        self._leases: OrderedDict[_Key, TokenBatch] = OrderedDict()
        self._lock = Lock()
        self._swept_at = -inf

    @property
    def name(self) -> str:
        """The store's name."""
        return self._store.name

    def admit(self, question: Question) -> Answer:
        """Decide from prefetched tokens, from a refusal that still stands, or by asking the store."""
        key = _key(question)
        if key is None or question.peek:
            return self._store.admit(question)
        now = self._clock.monotonic()
        self._sweep_if_due(now)
        with self._lock:
            lease = self._lease(key, question, now)
            known = self._answer_from(lease, now)
            if known is not None:
                return known
            wanted = self._wanted(lease)
        return self._ask(lease, question, wanted, now)

    def settle(self, settlement: Settlement) -> bool:
        """Settle in the store."""
        return self._store.settle(settlement)

    def probe(self, patience_s: float | None = None) -> None:
        """Probe the store."""
        self._store.probe(patience_s)

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def give_back(self, *_: object) -> None:
        """Give all tokens back, because another store decides."""
        if self._leases:
            self._background.submit("leases", lambda: self._sweep(inf))

    def _lease(self, key: _Key, question: Question, now: float) -> TokenBatch:
        lease = self._leases.get(key)
        if lease is None:
            lease = self._leases[key] = TokenBatch(question, counting_since=now)
        self._leases.move_to_end(key)
        lease.asked(now)
        return lease

    def _sweep_if_due(self, now: float) -> None:
        if now - self._swept_at >= LEASED_FOR_S:
            self._swept_at = now
            self._background.submit("leases", lambda: self._sweep(now))

    def _answer_from(self, lease: TokenBatch, now: float) -> Answer | None:
        """Return an answer that needs no question to the store, if there is one."""
        if lease.left > 0 and now < lease.until:
            lease.left -= 1
            return lease.paid
        return lease.answer if now < lease.refused_until else None

    def _gap_s(self) -> float:
        """Return the seconds between this environment's writes for one key, so that the fleet stays in bounds."""
        return max(_SHORTEST_S, self._view.fleet.environments / WRITES_PER_S)

    def _hot(self, lease: TokenBatch) -> bool:
        return lease.per_s > HOT_PER_S or lease.per_s * self._view.fleet.environments > WRITES_PER_S

    def _wanted(self, lease: TokenBatch) -> int:
        if not self._hot(lease):
            return 1
        gap_s = self._gap_s()
        return max(1, min(ceil(lease.per_s * gap_s), lease.room(self._view.fleet.environments, gap_s)))

    def _ask(self, lease: TokenBatch, question: Question, wanted: int, now: float) -> Answer:
        answer = self._store.admit(_times(question, wanted))
        if not answer.admitted and wanted > 1:
            holds = min(s.remaining // c.cost for c, s in zip(question.charges, answer.limits, strict=True))
            wanted = min(wanted, holds)
            answer = self._store.admit(_times(question, wanted)) if wanted else _of_one(question, answer)
        with self._lock:
            first = lease.answer is None
            lease.question, lease.answer = question, answer
            if answer.admitted:
                lease.paid = answer
                lease.left, lease.until = lease.left + wanted - 1, now + LEASED_FOR_S
            elif self._hot(lease):
                # Environments that were refused at the same moment must not ask again at the same moment.
                spread = random.random() if first else random.uniform(0.8, 1)  # noqa: S311  guards nothing
                lease.refused_until = now + self._refused_for_s(answer) * spread
        return answer

    def _refused_for_s(self, answer: Answer) -> float:
        waits = [state.retry_after_us for state in answer.limits if not state.allowed]
        longest = _LONGEST_REFUSAL_S if NEVER in waits else max(waits, default=0) / 1_000_000
        return max(min(longest, _LONGEST_REFUSAL_S), self._gap_s())

    def _sweep(self, now: float) -> None:
        """Give back tokens that weren't spent in time, and forget the questions asked least recently."""
        with self._lock:
            due = [(lease, lease.left) for lease in self._leases.values() if lease.left and lease.until <= now]
            for lease, _ in due:
                lease.left = 0
            while len(self._leases) > self._capacity:
                self._leases.popitem(last=False)
        for lease, left in due:
            back = tuple(charge._replace(cost=-left * charge.cost) for charge in lease.question.charges)
            self._store.settle(Settlement(lease.question.subject, None, None, fenced=False, corrections=back))


def _key(question: Question) -> _Key | None:
    """Return what two questions must have in common to share tokens; None if a limit of it has no tokens to take."""
    if any(not isinstance(c.rule, Bucket) or c.shadow or c.cost < 1 for c in question.charges) or not question.charges:
        return None
    return tuple((question.subject_of(c), c.key, _bucket(c), c.cost) for c in question.charges)


def _of_one(question: Question, refused: Answer) -> Answer:
    """Return the refusal of one request, read from the refusal of several."""
    states = tuple(_for_one(c, s) for c, s in zip(question.charges, refused.limits, strict=True))
    return refused._replace(limits=states)


def _for_one(charge: Charge, state: LimitState) -> LimitState:
    if state.remaining >= charge.cost:
        return state._replace(allowed=True, retry_after_us=0)
    bucket = _bucket(charge)
    if charge.cost > bucket.burst:
        return state
    return state._replace(retry_after_us=max(1, state.debt_us + charge.cost * bucket.interval_us - bucket.depth_us))


def _bucket(charge: Charge) -> Bucket:
    if not isinstance(charge.rule, Bucket):
        raise TypeError(f"{charge.rule!r} is no bucket")
    return charge.rule


def _times(question: Question, requests: int) -> Question:
    if requests == 1:
        return question
    return question._replace(charges=tuple(c._replace(cost=c.cost * requests) for c in question.charges))
