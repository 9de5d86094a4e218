"""The ladder: Redis, then DynamoDB, then this environment's memory.

Over all three together and any number of changes a bucket admits burst + rate * time, and one token more: each
store's buckets refill only while it decides. Redis' clock stands still while the fleet is away (see `standstill`),
DynamoDB's goes only while the fleet is on it, and it begins without a burst (see `ladder_clock`); when both are gone,
each environment enforces its share (see `shares`). What this environment last heard of a limit goes with each question
(see `debts`), so that a store which has lost its memory gives nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tidegate.clock import Clock
from tidegate.errors import StoreUnavailableError
from tidegate.question import Answer, Charge, Fleet, Question, Settlement
from tidegate.stores.debts import Debts, Moment
from tidegate.stores.fleet import FleetView
from tidegate.stores.memory import MemoryStore
from tidegate.stores.shares import Shares
from tidegate.stores.tracked import Rung, StoreState

Watcher = Callable[[Question, Answer], None]


class FailoverStore:
    """Asks the first store on the ladder that answers; never fails, and says who answered.

    Args:
        rungs: stores that the fleet shares, the preferred one first.
        last: this environment's memory, asked when none of them answers.
        clock: where the time comes from.
        view: the fleet's size; one environment if None.
        watchers: told what the preferred store has decided.
    """

    name = "failover"

    def __init__(
        self,
        rungs: Sequence[Rung],
        last: MemoryStore,
        clock: Clock,
        view: FleetView | None = None,
        watchers: Sequence[Watcher] = (),
    ) -> None:
        self._rungs = rungs
        self._last = last
        self._current = self._preferred = rungs[0].name if rungs else last.name
        self._debts = Debts(clock)
        self._view = view or FleetView(clock, Fleet())
        self._shares = Shares(clock)
        self._watchers = watchers

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
        asked = self._debts.now()
        carried = self._debts.carried_by(question, asked)
        for rung in self._rungs:
            try:
                answer = rung.ask(lambda store: store.admit(carried))
            except StoreUnavailableError:
                asked = self._debts.now()
                continue
            if answer.fleet is not None:
                self._view.heard(answer.fleet)
            self._shares.ended()
            if rung is self._rungs[0]:
                for watch in self._watchers:
                    watch(question, answer)
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
            rung.close()

    def _alone(self, question: Question) -> Answer:
        """No shared store answers: enforce our share of the limits, none of them, or refuse."""
        if self._rungs and question.on_outage != "share":
            return Answer(admitted=question.on_outage == "allow", limits=(), claim=None, store="none")
        asked = self._debts.now()
        return self._noted(question, self._last.admit(self._shares.of(question, self._view.fleet)), asked)

    def _noted(self, question: Question, answer: Answer, asked: Moment) -> Answer:
        self._current = answer.store
        of_all = answer.store == self._preferred
        self._debts.heard(question, answer, asked, buckets=of_all or self._view.fleet.environments == 1)
        return answer
