"""Which migrations are due, and what forbids to run any: decided from the files and the journal alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from functions.migrate import leftovers
from functions.migrate.journal import IN_FORCE, OLD_GOES, Entry, Journal
from functions.migrate.migration import SHOWN, Backfill, Migration

Migrations = Sequence[Migration]


class Undo(NamedTuple):
    """What may be taken back, and how."""

    number: int
    name: str
    backfill: Backfill | None


def refusal(migrations: Migrations, journal: Journal) -> str | None:
    """Say why nothing may run: a file was changed after it ran, or is gone half-way, or was put before those that ran.

    A journal entry that is through, without a file, is no reason: the code was rolled back to before it, and runs on
    what it expanded.
    """
    for migration in migrations:
        entry = journal.entries.get(migration.number)
        if entry and _ran(migration, entry) and entry.checksum != migration.checksum:
            return _changed(migration, entry)
        if not (entry and entry.state in IN_FORCE) and migration.number < journal.schema:
            return f"{migration.name}.py comes before {journal.schema:04d}, which ran already: give it the next number"
    return leftovers.refusal(migrations, journal)


def _ran(migration: Migration, entry: Entry) -> bool:
    """Tell whether a file may be changed no more; one whose contract failed before it changed an item may be mended."""
    if entry.state == "contracting":
        return not (entry.reason and not entry.touched) and not migration.may_follow(entry.checksum)
    return entry.state in IN_FORCE


def _changed(migration: Migration, entry: Entry) -> str:
    if migration.name != entry.name:
        return (
            f"{migration.name}.py has the number of {entry.name}.py, which ran already: restore that, and give this "
            "the next number"
        )
    said = f"{migration.name}.py was changed after it ran: restore it, and write what is new as a new file"
    if entry.state != "contracting":
        return said
    return (
        f"{said}; its contract is half-way. If that can't be got through with, let the changed file say that it was "
        f'written for the items that it has changed, too: MENDS = "{entry.checksum[:SHOWN]}"'
    )


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
    begun = entry.state == "contracting"
    if entry.release == release and not begun:
        return "this release expanded it"
    if oldest < migration.number:
        # Whatever was promoted before it: the code may have gone back since.
        return f"the code needs the form of schema {oldest} still"
    if not begun and (left_s := entry.since_s + migration.bake_s - now_s) > 0:
        return f"it bakes for {left_s:.0f} s more"
    return None


def to_undo(migrations: Migrations, journal: Journal, release: str | None, floor: int) -> list[Undo]:
    """List what may be taken back, the newest first: up to the first that can't be.

    Args:
        migrations: the files.
        journal: what became of them.
        release: only what this one expanded; None: whoever did.
        floor: the schema to return to at the furthest.
    """
    return _undoing(migrations, journal, release, floor)[0]


def kept(migrations: Migrations, journal: Journal, release: str | None, floor: int) -> dict[str, str]:
    """Say what a release expanded that stays, and why, by the names."""
    return _undoing(migrations, journal, release, floor)[1]


def _undoing(
    migrations: Migrations, journal: Journal, release: str | None, floor: int
) -> tuple[list[Undo], dict[str, str]]:
    undone: list[Undo] = []
    kept: dict[str, str] = {}
    above: str | None = None  # what can't be taken back, or not by this release: all that is below it stays
    for number, entry in journal.newest_first():
        if number <= floor or entry.state == "undone" or (entry.state == "failed" and not entry.touched):
            continue
        own = release is None or entry.release == release
        why, backfill = _why_kept(migrations, number, entry, above)
        if own and not why:
            undone.append(Undo(number, entry.name, backfill))
        elif own:
            kept[entry.name] = why or ""
        above = above or (entry.name if why or not own else None)
    return undone, kept


def _why_kept(
    migrations: Migrations, number: int, entry: Entry, above: str | None
) -> tuple[str | None, Backfill | None]:
    if entry.state in OLD_GOES:
        return "its old form is gone, or going", None
    if above:
        return f"{above} came after it, and stays", None
    back = leftovers.way_back(migrations, number, entry)
    return back.why_not, back.backfill
