"""One invocation's work under the lock: entries of the journal, and backfills as far as the time goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from functions.migrate.backfill import Table, ended
from functions.migrate.clock import Clock
from functions.migrate.journal import Entry, Journal, Progress, State
from functions.migrate.ledger import Held, Ledger
from functions.migrate.migration import Backfill, Migration
from functions.migrate.pacing import Pace
from functions.migrate.rounds import ROUND_S, Rounds

Status = Literal["done", "more", "failed"]


class Outcome(NamedTuple):
    """How far an action came; `reason` of a failure, `progress` for a person to read."""

    status: Status
    reason: str | None = None
    progress: Mapping[str, Any] = {}


class Bounds(NamedTuple):
    """What an invocation may take: seconds in all, and writes to the project's tables in a second."""

    slice_s: float
    writes_per_s: float


class Parts(NamedTuple):
    """What actions work with: the files, the clock, and how a table is opened."""

    migrations: Sequence[Migration]
    clock: Clock
    table: Callable[[str], Table]


class Work:
    """What is done by the holder of the lock; every method raises SupersededError if it isn't that any more."""

    def __init__(self, parts: Parts, ledger: Ledger, held: Held, bounds: Bounds) -> None:
        self.parts = parts
        self._ledger = ledger
        self.held = held
        self._until = parts.clock.monotonic_s() + bounds.slice_s
        self._pace = Pace(parts.clock, bounds.writes_per_s, held.journal.reserved)

    @property
    def journal(self) -> Journal:
        """As it was written last."""
        return self.held.journal

    def write(self, journal: Journal) -> None:
        """Write the journal; the lease is renewed by it."""
        self.held = self.held._replace(journal=journal)
        self._ledger.write(self.held)

    def enter(self, number: int, entry: Entry) -> None:
        """Write an entry."""
        self.write(self.journal.enter(number, entry))

    def change(self, number: int, state: State, **changes: Any) -> None:
        """Let a migration get into a state."""
        entry = self.journal.entries[number]
        self.enter(number, entry._replace(state=state, since_s=self.parts.clock.wall_s(), **changes))

    def walk(self, number: int, backfill: Backfill | None) -> bool:
        """Go on with a backfill; False: the time is up before its end. A round is done in any case.

        Raises:
            ItemError: an item can't be changed.
        """
        if backfill is None or ended(self._progress(number)):
            return True
        table = self.parts.table(backfill.table)
        rounds = Rounds(table, backfill, self._pace, self.parts.clock, self._progress(number))
        while True:
            self._round(number, rounds)
            if ended(self._progress(number)):
                self._pace.rest(max(self._left_s, ROUND_S))
                return True
            if self._left_s <= 0:
                return False

    def more(self, number: int) -> Outcome:
        """Say that the time is up, and how far it is."""
        entry, progress = self.journal.entries[number], self._progress(number)
        said = {"migration": entry.name, "doing": entry.state, "read": progress.read, "written": progress.written}
        return Outcome("more", progress={**said, "of": progress.of})

    @property
    def _left_s(self) -> float:
        return self._until - self.parts.clock.monotonic_s()

    def _progress(self, number: int) -> Progress:
        return self.journal.entries[number].progress

    def _round(self, number: int, rounds: Rounds) -> None:
        """Change some items at the pace of writes, and write down how far that is."""
        entry = self.journal.entries[number]
        found = rounds.find()
        writes = min(found, self._pace.startable(ROUND_S))
        try:
            if writes:
                # Before an item is changed it is known that one may be: whoever goes on may have another file.
                reserved = self._pace.reserve(writes)
                self.enter(number, entry._replace(progress=rounds.progress, touched=True, reserved=reserved))
                rounds.change(writes)
            elif found:
                self._pace.rest(ROUND_S)
        finally:
            after = entry._replace(progress=rounds.progress, touched=entry.touched or rounds.touched)
            self.enter(number, after._replace(reserved=max(entry.reserved, self._pace.last)))
