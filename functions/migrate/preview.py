"""What would run, and what did: read without the lock, changing nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from functions.migrate import leftovers, planning
from functions.migrate.journal import Entry, Journal
from functions.migrate.migration import Backfill
from functions.migrate.work import Bounds, Parts

Document = dict[str, Any]


def expand(parts: Parts, journal: Journal, bounds: Bounds) -> Document:
    """List what would be expanded, with the items that it would change, and what would be taken back before it."""
    due = planning.to_expand(parts.migrations, journal)
    first = [journal.entries[number].name for number in leftovers.to_take_back(parts.migrations, journal)]
    counted = _counted([(migration.name, migration.expand) for migration in due], parts, bounds)
    return {"due": counted, **({"taken_back_first": first} if first else {})}


def contract(parts: Parts, journal: Journal, bounds: Bounds, release: str, oldest: int) -> Document:
    """List what would be contracted, with the items that it would change, and what has to wait and why."""
    now_s = parts.clock.wall_s()
    due, waiting = planning.to_contract(parts.migrations, journal, release, now_s, oldest)
    return {
        "due": _counted([(migration.name, migration.contract) for migration in due], parts, bounds),
        "waiting": waiting,
    }


def down(parts: Parts, journal: Journal, bounds: Bounds, release: str | None, floor: int) -> Document:
    """List what would be taken back, with the items that it would change, and what stays and why."""
    due = planning.to_undo(parts.migrations, journal, release, floor)
    kept = planning.kept(parts.migrations, journal, release, floor)
    counted = _counted([(undo.name, undo.backfill) for undo in due], parts, bounds)
    return {"due": counted, **({"kept": kept} if kept else {})}


def status(parts: Parts, journal: Journal) -> Document:
    """List every migration with its state, and where its backfill is."""
    known = {migration.number: migration.name for migration in parts.migrations}
    named = known | {number: entry.name for number, entry in journal.entries.items()}
    return {"migrations": [_line(named[number], journal.entries.get(number)) for number in sorted(named)]}


def _line(name: str, entry: Entry | None) -> Document:
    if entry is None:
        return {"name": name, "state": "pending"}
    told: Mapping[str, Any] = {"read": entry.progress.read, "written": entry.progress.written, "of": entry.progress.of}
    return {"name": name, "state": entry.state, "release": entry.release, "reason": entry.reason, **told}


def _counted(due: Sequence[tuple[str, Backfill | None]], parts: Parts, bounds: Bounds) -> list[Document]:
    until = parts.clock.monotonic_s() + bounds.slice_s
    return [{"name": name, **_items(backfill, parts, until)} for name, backfill in due]


def _items(backfill: Backfill | None, parts: Parts, until: float) -> Document:
    """Count by reading the whole table, as far as the time goes: `exact` says whether that was to its end."""
    if backfill is None:
        return {"items": 0, "exact": True}
    table = parts.table(backfill.table)
    items, cursor = table.matching(backfill, None)
    while cursor and parts.clock.monotonic_s() < until:
        found, cursor = table.matching(backfill, cursor)
        items += found
    return {"items": items, "exact": cursor is None}
