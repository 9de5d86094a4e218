"""Shadow decisions: a small share of what Redis decides is asked of DynamoDB, too, so that it is known to work.

Nobody waits for it, and nobody's fallback bucket is charged: the question goes to items of its own, with the state
that Redis decided from, and so must be answered alike.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from tidegate.algorithms.decision import LimitState
from tidegate.algorithms.leaky_bucket import Drain
from tidegate.algorithms.token_bucket import Bucket
from tidegate.errors import StoreUnavailableError
from tidegate.question import Answer, Charge, Question
from tidegate.stores.background import Background
from tidegate.stores.base import Store
from tidegate.stores.tracked import ShadowCounts, TrackedStore
from tidegate.telemetry import shadow_differed


class Shadow:
    """Asks the fallback what Redis was asked.

    Args:
        rung: the fallback, whose state shows a failure.
        store: decides in the same table by the ordinary time, on items of its own.
        share: of the decisions, from 0 to 1.
        background: where it is asked.
        drawn: draws a number from 0 to 1.
    """

    def __init__(
        self,
        rung: TrackedStore,
        store: Store,
        share: float,
        background: Background,
        drawn: Callable[[], float] = random.random,
    ) -> None:
        self._rung = rung
        self._store = store
        self._share = share
        self._background = background
        self._drawn = drawn
        rung.shadow = ShadowCounts()

    @property
    def counts(self) -> ShadowCounts:
        """What became of the shadow decisions of this environment."""
        return self._rung.shadow or ShadowCounts()

    def watch(self, question: Question, answer: Answer) -> None:
        """Compare one decision in so many."""
        if question.charges and answer.limits and not question.peek and self._drawn() < self._share:
            self._background.submit("shadow", lambda: self._compare(question, answer))

    def _compare(self, question: Question, answer: Answer) -> None:
        asked = _as_decided(question, answer)
        if not asked.charges:
            return
        self._rung.shadow = replace(self.counts, asked=self.counts.asked + 1)
        try:
            shadow = self._rung.ask(lambda _: self._store.admit(asked))
        except StoreUnavailableError:
            self._rung.shadow = replace(self.counts, failed=self.counts.failed + 1)
            return
        expected = all(state.allowed for state in _compared(question, answer))
        if shadow.admitted != expected:
            self._rung.shadow = replace(self.counts, differed=self.counts.differed + 1)
            shadow_differed(question.subject, redis=expected, dynamodb=shadow.admitted)


def _as_decided(question: Question, answer: Answer) -> Question:
    """Return the question about buckets, with the debts that Redis decided from."""
    charged = answer.admitted
    charges = tuple(
        charge._replace(known_debt_us=_debt_before(charge, state, charged=charged and state.allowed))
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
