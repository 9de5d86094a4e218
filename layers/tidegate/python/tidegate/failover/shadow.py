"""Shadow decisions: DynamoDB is asked a small share of Redis' questions, so that a broken fallback is noticed.

No request waits for it. The question goes to items of its own, so that no caller's fallback bucket is charged. It
carries the state from which Redis decided, so both answers must be alike.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from tidegate.background import Background
from tidegate.decision import LimitState
from tidegate.errors import StoreUnavailableError
from tidegate.failover.circuit import CircuitBreakerStore, ShadowCounts
from tidegate.limits.leaky_bucket import Drain
from tidegate.limits.token_bucket import Bucket
from tidegate.messages import Answer, Charge, Question
from tidegate.stores.base import Store
from tidegate.telemetry import shadow_differed


class Shadow:
    """Asks the fallback what Redis was asked.

    Args:
        handle: the fallback, whose state shows a failure.
        store: decides in the same table by the wall clock, on items of its own.
        share: the share of decisions that are compared, from 0 to 1.
        background: runs the comparisons.
        drawn: draws a number from 0 to 1.
    """

    def __init__(
        self,
        handle: CircuitBreakerStore,
        store: Store,
        share: float,
        background: Background,
        drawn: Callable[[], float] = random.random,
    ) -> None:
        self._handle = handle
        self._store = store
        self._share = share
        self._background = background
        self._drawn = drawn
        handle.shadow = ShadowCounts()

    @property
    def counts(self) -> ShadowCounts:
        """The results of this environment's shadow decisions."""
        return self._handle.shadow or ShadowCounts()

    def watch(self, question: Question, answer: Answer) -> None:
        """Compare a decision in the background, if it is drawn for that."""
        if question.charges and answer.limits and not question.peek and self._drawn() < self._share:
            self._background.submit("shadow", lambda: self._compare(question, answer))

    def _compare(self, question: Question, answer: Answer) -> None:
        asked = _as_decided(question, answer)
        if not asked.charges:
            return
        self._handle.shadow = replace(self.counts, asked=self.counts.asked + 1)
        try:
            shadow = self._handle.ask(lambda _: self._store.admit(asked))
        except StoreUnavailableError:
            self._handle.shadow = replace(self.counts, failed=self.counts.failed + 1)
            return
        expected = all(state.allowed for state in _compared(question, answer))
        if shadow.admitted != expected:
            self._handle.shadow = replace(self.counts, differed=self.counts.differed + 1)
            shadow_differed(question.subject, redis=expected, dynamodb=shadow.admitted)


def _as_decided(question: Question, answer: Answer) -> Question:
    """Return the question about buckets alone, with the debts from which Redis decided."""
    charged = answer.admitted
    charges = tuple(
        charge._replace(min_deficit_us=_debt_before(charge, state, charged=charged and state.allowed))
        for charge, state in zip(question.charges, answer.limits, strict=True)
        if _comparable(charge)
    )
    charges = tuple(
        charge._replace(subject="", key=f"{question.subject_of(charge)}.{charge.key}") for charge in charges
    )
    return Question(question.subject, charges)


def _compared(question: Question, answer: Answer) -> list[LimitState]:
    return [s for c, s in zip(question.charges, answer.limits, strict=True) if _comparable(c)]


def _comparable(charge: Charge) -> bool:
    return isinstance(charge.rule, Bucket | Drain) and not charge.shadow


def _debt_before(charge: Charge, state: LimitState, *, charged: bool) -> int:
    interval_us = charge.rule.interval_us if isinstance(charge.rule, Bucket | Drain) else 0
    return max(0, state.debt_us - (charge.cost * interval_us if charged else 0))
