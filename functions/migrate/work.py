"""One invocation's work under the lock: entries of the journal, and backfills as far as the time goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from functions.migrate.backfill import Table, ended
from functions.migrate.clock import Clock
from functions.migrate.journal import Entry, Journal, Progress, State
from functions.migrate.ledger import Held, Ledger
from functions.migrate.migration import Backfill, Migration

Status = Literal["done", "more", "failed"]


class Outcome(NamedTuple):
    """How far an action came; `reason` of a failure, `progress` for a person to read."""

    status: Status
    reason: str | None = None
    progress: Mapping[str, Any] = {}


class Bounds(NamedTuple):
    """What an invocation may take: seconds in all, and writes to the shop's tables in a second."""

    slice_s: float
    writes_per_s: float


class Parts(NamedTuple):
    """What actions work with: the files, the clock, and how a table of the shop is opened."""

    migrations: Sequence[Migration]
    clock: Clock
    table: Callable[[str], Table]


class Work:
    """What is done by the holder of the lock; every method raises SupersededError if it isn't that any more."""

    def __init__(self, parts: Parts, ledger: Ledger, held: Held, bounds: Bounds) -> None:
        self.parts = parts
        self._ledger = ledger
        self.held = held
        self._bounds = bounds
        self._until = parts.clock.monotonic_s() + bounds.slice_s

    @property
    def journal(self) -> Journal:
        """As it was written last."""
        return self.held.journal

    def enter(self, number: int, entry: Entry) -> None:
        """Write an entry; the lease is renewed by it."""
        self.held = self.held._replace(journal=self.journal.enter(number, entry))
        self._ledger.write(self.held)

    def change(self, number: int, state: State, **changes: Any) -> None:
        """Let a migration get into a state."""
        entry = self.journal.entries[number]
        self.enter(number, entry._replace(state=state, since_s=self.parts.clock.wall_s(), **changes))

    def walk(self, number: int, backfill: Backfill | None) -> bool:
        """Go on with a backfill; False: the time is up before its end. A round is done in any case."""
        if backfill is None:
            return True
        table = self.parts.table(backfill.table)
        while not ended(self._progress(number)):
            self._round(number, backfill, table)
            if self.parts.clock.monotonic_s() >= self._until:
                return ended(self._progress(number))
        return True

    def more(self, number: int) -> Outcome:
        """Say that the time is up, and how far it is."""
        entry, progress = self.journal.entries[number], self._progress(number)
        said = {"migration": entry.name, "doing": entry.state, "read": progress.read, "written": progress.written}
        return Outcome("more", progress={**said, "of": progress.of})

    def _progress(self, number: int) -> Progress:
        return self.journal.entries[number].progress

    def _round(self, number: int, backfill: Backfill, table: Table) -> None:
        """Work on some items, write down how far that is, and rest as the bounds on writes want it."""
        began = self.parts.clock.monotonic_s()
        before = self._progress(number)
        if before.of is None:
            before = before._replace(of=table.size())
        after = table.round(backfill, before)
        self.enter(number, self.journal.entries[number]._replace(progress=after))
        due_s = (after.written - before.written) / self._bounds.writes_per_s
        self.parts.clock.sleep(max(0.0, due_s - (self.parts.clock.monotonic_s() - began)))
