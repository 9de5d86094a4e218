"""What this environment enforces alone while no shared store answers."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from tidegate.algorithms.decision import Known
from tidegate.clock import Clock
from tidegate.question import Charge, Fleet, Question

if TYPE_CHECKING:
    from tidegate.algorithms.share import Share


class Shares:
    """This environment's shares, from the first decision that it had to make alone.

    Args:
        clock: where the time comes from.
        capacity: limits whose state at the beginning is remembered.
    """

    def __init__(self, clock: Clock, capacity: int = 20_000) -> None:
        self._clock = clock
        self._capacity = capacity
        self._share: Share | None = None
        self._at_first: OrderedDict[tuple[str, str], Known] = OrderedDict()

    def of(self, question: Question, fleet: Fleet) -> Question:
        """Return the question as this environment must ask it of its own memory."""
        if fleet.environments <= 1:
            return question
        share = self._share
        if share is None:
            from tidegate.algorithms.share import Share  # noqa: PLC0415  only while no shared store answers

            share = self._share = Share(fleet.environments, fleet.rank, self._clock.wall_us())
            self._at_first.clear()
        return question._replace(charges=tuple(self._part(question, charge, share) for charge in question.charges))

    def ended(self) -> None:
        """Note that a shared store has decided: the next time alone is another one."""
        self._share = None

    def _part(self, question: Question, charge: Charge, share: Share) -> Charge:
        from tidegate.algorithms.share import part_of  # noqa: PLC0415  as above

        key = (question.subject_of(charge), charge.key)
        known = self._at_first.setdefault(key, charge.known)
        if len(self._at_first) > self._capacity:
            self._at_first.popitem(last=False)
        part = part_of(charge.rule, share, self._clock.wall_us(), charge.cost, known)
        return charge._replace(rule=part.rule, known_debt_us=max(charge.known_debt_us, part.debt_us))
