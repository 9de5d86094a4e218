"""Expand what is due, and take back what the release expanded if one of its migrations fails."""

from __future__ import annotations

from typing import Any

from functions.migrate import documents, leftovers, planning, transience, undoing
from functions.migrate.faults import said
from functions.migrate.journal import Entry, Journal, Progress
from functions.migrate.migration import Migration
from functions.migrate.work import Outcome, Work


def expand(work: Work, release: str) -> Outcome:
    """Expand what is due for a release, as far as the time goes; before it, take back what others left half-way."""
    failing = _failing(work, release)
    while True:
        if reason := planning.refusal(work.parts.migrations, work.journal):
            return Outcome("failed", reason)
        leftover = leftovers.to_take_back(work.parts.migrations, work.journal)
        undoing.begin(work, leftover)
        if (undone := undoing.go_on(work)).status != "done":
            return undone
        if not leftover:  # what one of them was to mend has come back otherwise
            break
    return Outcome("failed", failing) if failing else _expand_each(work, release)


def _failing(work: Work, release: str) -> str | None:
    """Say why this release is failing: one of its files did, and is still being taken back."""
    for number, entry in work.journal.entries.items():
        own = entry.release == release and leftovers.file_of(work.parts.migrations, number, entry)
        if own and entry.state == "undoing" and entry.reason:
            return entry.reason
    return None


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
        _through(work, migration)
        expanded.append(migration.name)
    return Outcome("done", progress={"expanded": expanded})


def _begin(work: Work, migration: Migration, release: str) -> None:
    """Begin at the beginning, or go on where a runner of the same file left off, whichever release it was of."""
    entry = work.journal.entries.get(migration.number)
    if entry and entry.state == "expanding" and entry.checksum == migration.checksum:
        work.enter(migration.number, entry._replace(release=release))
        return
    journal, before = _mended(work.journal, migration)
    again = entry is not None and entry.checksum == migration.checksum
    begun = Entry(
        migration.name,
        migration.checksum,
        "expanding",
        release,
        work.parts.clock.wall_s(),
        touched=bool(again and entry and entry.half_way and entry.touched),
        way_back=documents.of_backfill(migration.down) or {} if migration.down else None,
        reserved=journal.reserved,
        before=entry.before if again and entry else before,
    )
    work.write(journal.enter(migration.number, begun))


def _mended(journal: Journal, migration: Migration) -> tuple[Journal, dict[str, Any] | None]:
    """Have what a migration says that it mends begin anew if it is to go on nevertheless; and the one in its place."""
    mended = _half_way_before(journal, migration)
    for number, entry in mended.items():
        journal = journal.enter(number, entry._replace(progress=Progress()))
    own = mended.get(migration.number)
    return journal, own.document() if own else None


def _through(work: Work, migration: Migration) -> None:
    """Write down that the new form is whole, and what was mended by that."""
    journal, now_s = work.journal, work.parts.clock.wall_s()
    mended = _half_way_before(journal, migration)
    for number, entry in mended.items():
        reason = f"{entry.reason or 'it was left half-way'}; mended by {migration.name}"
        after = entry._replace(state="failed", touched=False, before=None, reason=reason, since_s=now_s)
        journal = journal.enter(number, after)
    whole = journal.entries[migration.number]._replace(state="expanded", since_s=now_s, reason=None, before=None)
    work.write(journal.enter(migration.number, whole))


def _half_way_before(journal: Journal, migration: Migration) -> dict[int, Entry]:
    """Pick what was left half-way that a migration says that it mends."""
    return {
        number: entry
        for number, entry in journal.entries.items()
        if entry.half_way and entry.state != "contracting" and migration.may_follow(entry.checksum)
    }


def _fail(work: Work, migration: Migration, release: str, error: Exception) -> Outcome:
    reason = f"{migration.name}: {said(error)}"
    work.change(migration.number, "expanding", reason=reason)
    safe = [undo.number for undo in planning.to_undo(work.parts.migrations, work.journal, release, floor=0)]
    if migration.number not in safe:
        if work.journal.entries[migration.number].touched:
            work.change(migration.number, "failed")
        else:
            undoing.end(work, migration.number)
    undoing.begin(work, safe)
    undone = undoing.go_on(work)
    return undone if undone.status != "done" else Outcome("failed", reason)
