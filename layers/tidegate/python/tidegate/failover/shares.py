"""This environment's share of each limit, which it enforces alone while no shared store answers."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from tidegate.clock import Clock
from tidegate.decision import NEVER, Known
from tidegate.messages import Answer, Charge, Fleet, Question

if TYPE_CHECKING:
    from tidegate.limits.share import Share


class LocalFallbackLimits:
    """This environment's shares. They are fixed at the first decision without a shared store.

    Args:
        clock: where the time comes from.
        capacity: how many limits' states at that moment are remembered.
    """

    def __init__(self, clock: Clock, capacity: int = 20_000) -> None:
        self._clock = clock
        self._capacity = capacity
        self._share: Share | None = None
        self._at_first: OrderedDict[tuple[str, str], Known] = OrderedDict()

    def of(self, question: Question, fleet: Fleet) -> Question:
        """Return the question for this environment's own memory: each limit is reduced to its share."""
        if fleet.environments <= 1:
            return question
        share = self._share
        if share is None:
            from tidegate.limits.share import Share  # noqa: PLC0415  only while no shared store answers

            share = self._share = Share(fleet.environments, fleet.rank, self._clock.wall_us())
            self._at_first.clear()
        return question._replace(charges=tuple(self._part(question, charge, share) for charge in question.charges))

    def told(self, question: Question, answer: Answer) -> Answer:
        """Return the answer in terms of the whole limits: a cost above the share may be below the limit."""
        if answer.admitted:
            return answer
        now_us = self._clock.wall_us()
        limits = tuple(
            state._replace(retry_after_us=max(1, charge.rule.next_unit_us(state, now_us)))
            if state.retry_after_us == NEVER and charge.cost <= charge.rule.most
            else state
            for charge, state in zip(question.charges, answer.limits, strict=True)
        )
        return answer._replace(limits=limits)

    def ended(self) -> None:
        """Note that a shared store has decided. The next outage begins with new shares."""
        self._share = None

    def _part(self, question: Question, charge: Charge, share: Share) -> Charge:
        from tidegate.limits.share import scaled_rule  # noqa: PLC0415  as above

        key = (question.subject_of(charge), charge.key)
        known = self._at_first.setdefault(key, charge.known)
        if len(self._at_first) > self._capacity:
            self._at_first.popitem(last=False)
        part = scaled_rule(charge.rule, share, self._clock.wall_us(), charge.cost, known)
        return charge._replace(rule=part.rule, min_deficit_us=max(charge.min_deficit_us, part.debt_us))
