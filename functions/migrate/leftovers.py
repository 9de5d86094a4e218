"""Halves that began and aren't through: by what file each goes on, is taken back, or is refused.

Items that a file changed are taken back, or gone on with, by that file alone. Another one's `where` would pass them by,
and another one's `down` may take from items what they always had.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from functions.migrate import documents
from functions.migrate.journal import IN_FORCE, Entry, Journal
from functions.migrate.migration import SHOWN, Backfill, Migration

Migrations = Sequence[Migration]


class WayBack(NamedTuple):
    """How an expand is taken back; `why_not`: it can't be, or not now."""

    backfill: Backfill | None
    why_not: str | None = None


def file_of(migrations: Migrations, number: int, entry: Entry) -> Migration | None:
    """Return the file by which an entry's halves ran; None: it was changed, or isn't there."""
    return next((m for m in migrations if m.number == number and m.checksum == entry.checksum), None)


def way_back(migrations: Migrations, number: int, entry: Entry) -> WayBack:
    """Find how what a file expanded is taken back: as it says itself, or as the journal has it."""
    if file := file_of(migrations, number, entry):
        return WayBack(file.down, None if file.down else "it has no `down`")
    if entry.way_back is None:
        return WayBack(None, "it had no `down`")
    if not entry.way_back:
        return WayBack(None, f"its `down` is in {shown(entry)} alone")
    return WayBack(documents.to_backfill(entry.way_back))


def mending(migrations: Migrations, number: int, entry: Entry, journal: Journal) -> Migration | None:
    """Return the file, still to be run, that says of itself that it was written for what an entry left half-way."""
    if entry.state == "contracting":
        return next((m for m in migrations if m.number == number and m.may_follow(entry.checksum)), None)
    due = [m for m in migrations if m.number not in journal.entries or not _in_force(journal, m.number)]
    return next((m for m in due if m.may_follow(entry.checksum)), None)


def to_take_back(migrations: Migrations, journal: Journal) -> list[int]:
    """List what must be taken back before anything is expanded, the newest first: its file isn't there as it was."""
    return [
        number
        for number, entry in journal.newest_first()
        if entry.half_way
        and entry.state != "contracting"
        and not file_of(migrations, number, entry)
        and not mending(migrations, number, entry, journal)
        and not _why_it_stays(migrations, number, entry)
    ]


def refusal(migrations: Migrations, journal: Journal) -> str | None:
    """Say which half, that isn't through, can neither go on nor be taken back, and what to do."""
    for number, entry in journal.newest_first():
        if not entry.half_way or file_of(migrations, number, entry) or mending(migrations, number, entry, journal):
            continue
        if why := _why_it_stays(migrations, number, entry):
            return _unmended(migrations, number, entry, why)
    return None


def _why_it_stays(migrations: Migrations, number: int, entry: Entry) -> str | None:
    if entry.state == "contracting":
        return "what a contract did isn't taken back"
    return way_back(migrations, number, entry).why_not if entry.touched else None


def shown(entry: Entry) -> str:
    """Name a file as it was when it ran."""
    return f"{entry.name}.py ({entry.checksum[:SHOWN]})"


def _unmended(migrations: Migrations, number: int, entry: Entry, why: str) -> str:
    now = next((m for m in migrations if m.number == number), None)
    what = "isn't there" if now is None else "was changed" if now.name == entry.name else f"is {now.name}.py now"
    half = {"contracting": "its contract", "undoing": "its `down`"}.get(entry.state, "its expand")
    return (
        f"{entry.name}.py {what}, and {half} is half-way through the items; {why}. Restore {shown(entry)} and release; "
        "or let the file that takes its place say that it was written for those items, too: "
        f'MENDS = "{entry.checksum[:SHOWN]}"'
    )


def _in_force(journal: Journal, number: int) -> bool:
    return journal.entries[number].state in IN_FORCE
