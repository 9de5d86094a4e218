"""Take back what was expanded, where that is declared safe."""

from __future__ import annotations

from collections.abc import Sequence

from functions.migrate import planning, transience
from functions.migrate.journal import Progress
from functions.migrate.migration import Migration
from functions.migrate.work import Outcome, Work


def down(work: Work, release: str | None, floor: int) -> Outcome:
    """Take back what a release expanded, the newest first, and nothing that is at or below a schema."""
    begin(work, planning.to_undo(work.parts.migrations, work.journal, release, floor))
    return go_on(work)


def begin(work: Work, migrations: Sequence[Migration]) -> None:
    """Write down what is to be taken back; from now on it isn't in force."""
    for migration in migrations:
        if work.journal.entries[migration.number].state != "undoing":
            work.change(migration.number, "undoing", progress=Progress())


def go_on(work: Work) -> Outcome:
    """Take back what was begun to be, as far as the time goes."""
    undone: list[str] = []
    for migration in reversed(work.parts.migrations):
        entry = work.journal.entries.get(migration.number)
        if entry is None or entry.state != "undoing":
            continue
        try:
            if not work.walk(migration.number, migration.down):
                return work.more(migration.number)
        except Exception as error:
            if transience.passes(error):
                raise
            return _fail(work, migration, error)
        work.change(migration.number, "failed" if entry.reason else "undone")
        undone.append(migration.name)
    return Outcome("done", progress={"undone": undone})


def _fail(work: Work, migration: Migration, error: Exception) -> Outcome:
    before = work.journal.entries[migration.number].reason
    reason = f"{migration.name}, down: {type(error).__name__}: {error}"
    reason = f"{before}; {reason}" if before else reason
    work.change(migration.number, "failed", reason=reason)
    return Outcome("failed", reason)
