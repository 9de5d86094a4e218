"""Which migrations are due, and what forbids to run any: decided from the files and the journal alone."""

from __future__ import annotations

from collections.abc import Sequence

from functions.migrate.journal import IN_FORCE, Entry, Journal
from functions.migrate.migration import Migration

Migrations = Sequence[Migration]


def refusal(migrations: Migrations, journal: Journal) -> str | None:
    """Say why nothing may run: a file was changed after it ran, or one was put before those that ran.

    A journal entry without a file is no reason: the code was rolled back to before it, and runs on what it expanded.
    """
    for migration in migrations:
        entry = journal.entries.get(migration.number)
        if entry and _ran(entry) and entry.checksum != migration.checksum:
            return f"{migration.name}.py was changed after it ran: restore it, and write what is new as a new file"
        if not (entry and entry.state in IN_FORCE) and migration.number < journal.schema:
            return f"{migration.name}.py comes before {journal.schema:04d}, which ran already: give it the next number"
    return None


def _ran(entry: Entry) -> bool:
    """Tell whether a file may be changed no more; one whose contract failed may be mended."""
    return entry.state in IN_FORCE and not (entry.state == "contracting" and entry.reason)


def to_expand(migrations: Migrations, journal: Journal) -> list[Migration]:
    """List those that aren't expanded, in their order."""
    expanded = {number for number, entry in journal.entries.items() if entry.state in IN_FORCE}
    return [migration for migration in migrations if migration.number not in expanded]


def to_contract(
    migrations: Migrations, journal: Journal, release: str, now_s: float, oldest: int
) -> tuple[list[Migration], dict[str, str]]:
    """List those whose old form may go, in their order, and why others' may not yet, by their names.

    Args:
        migrations: the files.
        journal: what became of them.
        release: the one that is under way.
        now_s: the time (epoch).
        oldest: the oldest schema whose form the code in force still needs.
    """
    due: list[Migration] = []
    waiting: dict[str, str] = {}
    for migration in migrations:
        entry = journal.entries.get(migration.number)
        if migration.contract is None or entry is None or entry.state not in {"expanded", "contracting"}:
            continue
        why = _why_not_yet(migration, entry, release, now_s, oldest)
        if why or waiting:  # never before an older one
            waiting[migration.name] = why or "an older one waits"
        else:
            due.append(migration)
    return due, waiting


def _why_not_yet(migration: Migration, entry: Entry, release: str, now_s: float, oldest: int) -> str | None:
    if entry.state == "contracting":
        return None
    if entry.release == release:
        return "this release expanded it"
    if oldest < migration.number:
        return f"the code needs the form of schema {oldest} still"
    if (left_s := entry.since_s + migration.bake_s - now_s) > 0:
        return f"it bakes for {left_s:.0f} s more"
    return None


def to_undo(migrations: Migrations, journal: Journal, release: str | None, floor: int) -> list[Migration]:
    """List what may be taken back, the newest first: up to the first that can't be.

    Args:
        migrations: the files.
        journal: what became of them.
        release: only what this one expanded; None: whoever did.
        floor: the schema to return to at the furthest.
    """
    undone: list[Migration] = []
    for migration in reversed(migrations):
        entry = journal.entries.get(migration.number)
        if entry is None or entry.state in {"undone", "failed"} or migration.number <= floor:
            continue
        foreign = release is not None and entry.release != release
        if foreign or migration.down is None or entry.state in {"contracting", "contracted"}:
            break
        undone.append(migration)
    return undone
