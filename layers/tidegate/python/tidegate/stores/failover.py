"""The ladder: Redis, then DynamoDB, then this environment's memory.

What a change of store could lose is carried along: with each question goes what this environment last heard of
its buckets (see `debts`). So no number of changes lets it admit more than burst + rate * time, and a caller
within its limits notices none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tidegate.algorithms.token_bucket import Bucket
from tidegate.clock import Clock
from tidegate.errors import StoreUnavailableError
from tidegate.question import Answer, Charge, Question, Settlement
from tidegate.stores.debts import Debts, Moment
from tidegate.stores.memory import MemoryStore
from tidegate.stores.tracked import StoreState, TrackedStore


class FailoverStore:
    """Asks the first store on the ladder that answers; never fails, and says who answered.

    Args:
        rungs: stores that the fleet shares, the preferred one first.
        last: this environment's memory, asked when none of them answers.
        clock: where the time comes from.
    """

    name = "failover"

    def __init__(self, rungs: Sequence[TrackedStore], last: MemoryStore, clock: Clock) -> None:
        self._rungs = rungs
        self._last = last
        self._current = rungs[0].name if rungs else last.name
        self._debts = Debts(clock)
        self._environments = 1

    @property
    def states(self) -> tuple[StoreState, ...]:
        """What is known of each shared store, in the ladder's order."""
        return tuple(rung.state for rung in self._rungs)

    @property
    def current(self) -> str:
        """The store that decided last."""
        return self._current

    def admit(self, question: Question) -> Answer:
        """Decide on the first rung that answers; with none, as the route chose for an outage."""
        carried = self._debts.carried_by(question)
        for rung in self._rungs:
            asked = self._debts.now()
            try:
                answer = rung.ask(lambda store: store.admit(carried))
            except StoreUnavailableError:
                continue
            if answer.environments is not None:
                self._environments = answer.environments
            return self._noted(question, answer, asked)
        return self._alone(carried)

    def settle(self, settlement: Settlement) -> bool:
        """Write to the preferred store if it is well; what must not be lost was written by the claim's store.

        Raises:
            StoreUnavailableError: it isn't well.
        """
        self._debts.put_right(settlement.subject, settlement.corrections)
        if not self._rungs:
            return self._last.settle(settlement)
        return self._rungs[0].ask(lambda store: store.settle(settlement))

    def correct(self, store: str | None, subject: str, charges: tuple[Charge, ...]) -> None:
        """Put right what a store has charged, in that store.

        Raises:
            StoreUnavailableError: it can't be asked now.
        """
        self._debts.put_right(subject, charges)
        settlement = Settlement(subject, None, None, fenced=False, corrections=charges)
        if store == self._last.name:
            self._last.settle(settlement)
        for rung in self._rungs:
            if rung.name == store:
                rung.ask(lambda asked: asked.settle(settlement))

    def check(self, patience_s: float) -> None:
        """Probe every rung, so that their states are fresh."""
        for rung in self._rungs:
            rung.check(patience_s)

    def connect(self, patience_s: float) -> None:
        """Find the first rung that answers, so that the first decision needn't."""
        for rung in self._rungs:
            rung.check(patience_s)
            if rung.trusted:
                return

    def close(self) -> None:
        """Close every store."""
        for rung in self._rungs:
            rung.store.close()

    def _alone(self, question: Question) -> Answer:
        """No shared store answers: enforce our share of the limits, none of them, or refuse."""
        if self._rungs and question.on_outage != "share":
            return Answer(admitted=question.on_outage == "allow", limits=(), claim=None, store="none")
        asked = self._debts.now()
        return self._noted(question, self._last.admit(_shared(question, self._environments)), asked)

    def _noted(self, question: Question, answer: Answer, asked: Moment) -> Answer:
        self._current = answer.store
        self._debts.heard(question, answer, asked)
        return answer


def _shared(question: Question, environments: int) -> Question:
    """Return the question as one of so many environments must ask it when each enforces its share alone."""
    if environments <= 1:
        return question
    return replace(question, charges=tuple(_shared_charge(charge, environments) for charge in question.charges))


def _shared_charge(charge: Charge, environments: int) -> Charge:
    """Return the charge against a share of the limit, deep enough for what the whole would admit."""
    share = charge.rule.shared_by(environments)
    if isinstance(charge.rule, Bucket) and isinstance(share, Bucket):
        share = replace(share, burst=max(share.burst, min(charge.cost, charge.rule.burst)))
    return replace(charge, rule=share)
