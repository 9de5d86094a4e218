"""The journal: what became of each migration, and which schema is in force because of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

State = Literal["expanding", "expanded", "contracting", "contracted", "undoing", "undone", "failed"]

# The new form is whole in these, and the old one is going or gone in those.
IN_FORCE: frozenset[State] = frozenset({"expanded", "contracting", "contracted"})
OLD_GOES: frozenset[State] = frozenset({"contracting", "contracted"})


class Progress(NamedTuple):
    """How far a backfill got.

    Attributes:
        cursors: of each segment of the table: None (not begun), the last key read, or "end".
        read: items looked at.
        written: items changed.
        of: items of the table when the backfill began, as the table counts them (on AWS six hours old).
    """

    cursors: tuple[Any, ...] = ()
    read: int = 0
    written: int = 0
    of: int | None = None


class Entry(NamedTuple):
    """What became of one migration; `release` expanded it, `since_s` (epoch) is when it got into its state."""

    name: str
    checksum: str
    state: State
    release: str
    since_s: float
    progress: Progress = Progress()
    reason: str | None = None


class Journal(NamedTuple):
    """The entries by the migrations' numbers."""

    entries: Mapping[int, Entry] = MappingProxyType({})

    @property
    def schema(self) -> int:
        """The schema in force: the last migration that is expanded."""
        return max([0, *[number for number, entry in self.entries.items() if entry.state in IN_FORCE]])

    @property
    def contracted(self) -> int:
        """The oldest schema that code may be written for: what is older has gone, or is going."""
        return max([0, *[number for number, entry in self.entries.items() if entry.state in OLD_GOES]])

    def before(self, release: str) -> int:
        """Tell the schema that was in force before a release."""
        others = {number: entry for number, entry in self.entries.items() if entry.release != release}
        return Journal(others).schema

    def enter(self, number: int, entry: Entry) -> Journal:
        """Return the journal with an entry added or replaced."""
        return Journal({**self.entries, number: entry})

    def dumps(self) -> str:
        """Write it as JSON."""
        return json.dumps({str(number): _document(entry) for number, entry in sorted(self.entries.items())})

    @classmethod
    def loads(cls, text: str) -> Journal:
        """Read it from JSON."""
        return cls({int(number): _entry(document) for number, document in json.loads(text).items()})


def _document(entry: Entry) -> dict[str, Any]:
    return {**entry._asdict(), "progress": entry.progress._asdict()}


def _entry(document: dict[str, Any]) -> Entry:
    progress = document["progress"]
    return Entry(**{**document, "progress": Progress(**{**progress, "cursors": tuple(progress["cursors"])})})
