"""The ladder: Redis, then DynamoDB, then this environment's memory.

Over-admission over any number of changes is bounded because a change costs the burst: whatever the store we
change to remembers, its buckets count as empty at the moment when another store last answered this
environment, and refill at their rate from there (see `token_bucket.start_of_debt`). So an environment admits at most
burst + rate * time over all stores together, and nobody gets a fresh full bucket on the way back. The moment
is the last answer rather than the change itself so that a fleet agrees without a word: nobody was answered by
a store after it died, however late an idle environment notices. A store that failed is doubted in the same way
when it comes back, since it may have come back empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from tidegate.clock import Clock
from tidegate.errors import StoreUnavailableError
from tidegate.question import Answer, Question, Settlement
from tidegate.stores.base import Store
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
        self._clock = clock
        self._current = rungs[0].name if rungs else last.name
        # Every store from the start: threads read it while others write, and only a dict's size must not change.
        self._answered_at: dict[str, float | None] = dict.fromkeys([*(rung.name for rung in rungs), last.name])
        self._doubted_at: float | None = None
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
        for rung in self._rungs:
            asked = self._as_asked_of(rung.name, question)
            try:
                answer = rung.ask(partial(_admit, asked))
            except StoreUnavailableError as error:
                if error.kind != "breaker-open":
                    self._doubted_at = max(self._answers(), default=None)
                continue
            if answer.environments is not None:
                self._environments = answer.environments
            return self._noted(answer)
        return self._alone(question)

    def settle(self, settlement: Settlement) -> bool:
        """Write to the preferred store if it is well; what must not be lost was written by the claim's store.

        Raises:
            StoreUnavailableError: it isn't well.
        """
        if not self._rungs:
            return self._last.settle(settlement)
        return self._rungs[0].ask(lambda store: store.settle(settlement))

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
        if not self._rungs:
            return self._last.admit(question)
        if question.on_outage == "share":
            mine = self._as_asked_of(self._last.name, question).shared_by(self._environments)
            return self._noted(self._last.admit(mine))
        return Answer(admitted=question.on_outage == "allow", limits=(), claim=None, store="none")

    def _as_asked_of(self, name: str, question: Question) -> Question:
        """Tell a store since when its buckets count as empty: the last answer of another one, or of a failed one."""
        since = [*self._answers(but=name), *([] if self._doubted_at is None else [self._doubted_at])]
        if not since:
            return question
        return replace(question, refilled_for_us=round((self._clock.monotonic() - max(since)) * 1_000_000))

    def _answers(self, but: str | None = None) -> list[float]:
        return [at for store, at in self._answered_at.items() if store != but and at is not None]

    def _noted(self, answer: Answer) -> Answer:
        self._current = answer.store
        if answer.limits:
            self._answered_at[answer.store] = self._clock.monotonic()
        return answer


def _admit(question: Question, store: Store) -> Answer:
    return store.admit(question)
