"""The failover chain: Redis, then DynamoDB, then this environment's memory.

Over all three together, and any number of changes, a bucket admits at most burst + rate * time + 1. That holds because
each store's buckets refill only while that store decides. The refill clock of Redis stands still while the fleet is
away (`stores/redis/refill_clock.py`). The fallback clock of DynamoDB runs only while the fleet is on DynamoDB, and
buckets there begin without a burst (`fallback_clock`). While neither answers, each environment enforces its share
(`shares`). The latest snapshot of a limit goes with each question (`carryover`), so that a store that has lost its
memory gives nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tidegate.clock import Clock, Moment
from tidegate.failover.carryover import CarriedState
from tidegate.failover.circuit import StoreHandle, StoreState
from tidegate.failover.misfits import Misfits
from tidegate.failover.shares import LocalFallbackLimits
from tidegate.messages import Answer, Charge, Fleet, Question, Settlement
from tidegate.steps import Steps, run
from tidegate.stores.fleet import FleetView
from tidegate.stores.memory import MemoryStore

Watcher = Callable[[Question, Answer], None]


class FailoverStore:
    """Decides in the first store of the chain that answers. A decision never fails, and names its store.

    Args:
        handles: stores that the fleet shares, the preferred one first.
        last: this environment's memory, asked when none of them answers.
        clock: where the time comes from.
        view: the fleet's size; one environment if None.
        watchers: called with each decision of the preferred store.
    """

    name = "failover"

    def __init__(
        self,
        handles: Sequence[StoreHandle],
        last: MemoryStore,
        clock: Clock,
        view: FleetView | None = None,
        watchers: Sequence[Watcher] = (),
    ) -> None:
        self._handles = handles
        self._last = last
        self._current = self._preferred = handles[0].name if handles else last.name
        self._carried = CarriedState(clock)
        self._view = view or FleetView(clock, Fleet())
        self._shares = LocalFallbackLimits(clock)
        self._watchers = watchers
        self._misfits = Misfits(clock)

    @property
    def states(self) -> tuple[StoreState, ...]:
        """The state of each shared store, in the chain's order."""
        return tuple(handle.state for handle in self._handles)

    @property
    def current(self) -> str:
        """The store that decided last."""
        return self._current

    def admit(self, question: Question) -> Answer:
        """Decide in the first store that answers; if none does, by the route's choice for an outage."""
        return run(self.admitting(question))

    def admitting(self, question: Question) -> Steps[Answer]:
        """Return the steps of `admit`."""
        asked = self._carried.now()
        carried = self._carried.carried_by(question, asked)
        for handle in self._handles:
            try:
                answer = yield from handle.admitting(carried)
            except Exception as error:  # noqa: BLE001  what isn't the store's own belongs to the question: the next may answer
                self._misfits.told(handle.name, error)
                asked = self._carried.now()
                continue
            if answer.fleet is not None:
                self._view.heard(answer.fleet)
            self._shares.ended()
            if handle is self._handles[0]:
                for watch in self._watchers:
                    watch(question, answer)
            return self._noted(question, answer, asked)
        return self._alone(carried)

    def settle(self, settlement: Settlement) -> bool:
        """Write to the preferred store. Whatever must not be lost is in the claim store already.

        Raises:
            StoreUnavailableError: the preferred store isn't well.
        """
        self._carried.put_right(settlement.subject, settlement.corrections)
        if not self._handles:
            return self._last.settle(settlement)
        first = self._handles[0]
        return self._misfits.ask(first.name, lambda: first.ask(lambda store: store.settle(settlement)))

    def correct(self, store: str | None, subject: str, charges: tuple[Charge, ...]) -> None:
        """Correct charges in the store that made them.

        Raises:
            StoreUnavailableError: that store can't be asked now.
        """
        self._carried.put_right(subject, charges)
        settlement = Settlement(subject, None, None, fenced=False, corrections=charges)
        if store == self._last.name:
            self._last.settle(settlement)
        for handle in self._handles:
            if handle.name == store:
                self._misfits.ask(handle.name, lambda: handle.ask(lambda asked: asked.settle(settlement)))  # noqa: B023  called at once

    def check(self, patience_s: float) -> None:
        """Probe every store, so that their states are fresh."""
        for handle in self._handles:
            handle.check(patience_s)

    def connect(self, patience_s: float) -> None:
        """Probe the stores up to the first that answers, so that the first decision finds it connected."""
        for handle in self._handles:
            handle.check(patience_s)
            if handle.trusted:
                return

    def close(self) -> None:
        """Close every store."""
        for handle in self._handles:
            handle.close()

    def _alone(self, question: Question) -> Answer:
        """Decide without a shared store: enforce this environment's share, admit without limits, or refuse."""
        if self._handles and question.on_outage != "share":
            return Answer(admitted=question.on_outage == "allow", limits=(), claim=None, store="none")
        asked = self._carried.now()
        answer = self._last.admit(self._shares.of(question, self._view.fleet))
        return self._noted(question, self._shares.told(question, answer), asked)

    def _noted(self, question: Question, answer: Answer, asked: Moment) -> Answer:
        self._current = answer.store
        is_preferred = answer.store == self._preferred
        self._carried.heard(question, answer, asked, buckets=is_preferred or self._view.fleet.environments == 1)
        return answer
