"""Expand what is due, and take back what the release expanded if one of its migrations fails."""

from __future__ import annotations

from functions.migrate import planning, transience, undoing
from functions.migrate.journal import Entry
from functions.migrate.migration import Migration
from functions.migrate.work import Outcome, Work


def expand(work: Work, release: str) -> Outcome:
    """Expand what is due for a release, as far as the time goes."""
    if reason := planning.refusal(work.parts.migrations, work.journal):
        return Outcome("failed", reason)
    failing = [entry for entry in work.journal.entries.values() if entry.state == "undoing" and entry.reason]
    if (undone := undoing.go_on(work)).status != "done":
        return undone
    for entry in failing:
        if entry.release == release:
            return Outcome("failed", entry.reason)
    return _expand_each(work, release)


def _expand_each(work: Work, release: str) -> Outcome:
    expanded: list[str] = []
    for migration in planning.to_expand(work.parts.migrations, work.journal):
        _begin(work, migration, release)
        try:
            if not work.walk(migration.number, migration.expand):
                return work.more(migration.number)
        except Exception as error:
            if transience.passes(error):
                raise
            return _fail(work, migration, release, error)
        work.change(migration.number, "expanded")
        expanded.append(migration.name)
    return Outcome("done", progress={"expanded": expanded})


def _begin(work: Work, migration: Migration, release: str) -> None:
    """Begin at the beginning, or go on where a runner of the same file left off, whichever release it was of."""
    entry = work.journal.entries.get(migration.number)
    if entry and entry.state == "expanding" and entry.checksum == migration.checksum:
        work.enter(migration.number, entry._replace(release=release))
        return
    now_s = work.parts.clock.wall_s()
    work.enter(migration.number, Entry(migration.name, migration.checksum, "expanding", release, now_s))


def _fail(work: Work, migration: Migration, release: str, error: Exception) -> Outcome:
    reason = f"{migration.name}: {type(error).__name__}: {error}"
    work.change(migration.number, "expanding", reason=reason)
    safe = planning.to_undo(work.parts.migrations, work.journal, release, floor=0)
    if migration not in safe:
        work.change(migration.number, "failed")
    undoing.begin(work, safe)
    undone = undoing.go_on(work)
    return undone if undone.status != "done" else Outcome("failed", reason)
