"""The journal: what became of each migration, and which schema is in force because of it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from functions.migrate import documents

State = Literal["expanding", "expanded", "contracting", "contracted", "undoing", "undone", "failed"]

# The new form is whole in these, and the old one is going or gone in those.
IN_FORCE: frozenset[State] = frozenset({"expanded", "contracting", "contracted"})
OLD_GOES: frozenset[State] = frozenset({"contracting", "contracted"})
# A half began in these, and isn't through.
_HALF_WAY: frozenset[State] = frozenset({"expanding", "contracting", "undoing", "failed"})

_IN_ITS_FILE: Mapping[str, Any] = MappingProxyType({})


class Progress(NamedTuple):
    """How far a backfill got.

    Attributes:
        cursors: of each segment of the table: None (not begun), the last key that is done with, or "end".
        read: items looked at.
        written: items changed.
        of: items of the table when the backfill began, as the table counts them (on AWS six hours old).
    """

    cursors: tuple[Any, ...] = ()
    read: int = 0
    written: int = 0
    of: int | None = None


class Reserved(NamedTuple):
    """Writes that were made or are about to be, from a moment on (epoch); the next one comes after them all."""

    since_s: float = 0.0
    writes: int = 0


class Entry(NamedTuple):
    """What became of one migration.

    Attributes:
        name: its file's.
        checksum: of the file by which its halves ran: none of another is run in its place.
        state: what it came to.
        release: expanded it.
        since_s: when it got into its state (epoch).
        progress: of the half that is under way, or was last.
        reason: why it failed.
        touched: that half, or the one that it takes back, may have changed an item.
        way_back: `down` as a document. Empty: only the file of that checksum has it. None: there is none.
        reserved: how far its writes were paced.
        before: the entry, as a document, of the file that left items half-way for this one to mend. It comes back if
            this one is taken back.
    """

    name: str
    checksum: str
    state: State
    release: str
    since_s: float
    progress: Progress = Progress()
    reason: str | None = None
    touched: bool = False
    way_back: Mapping[str, Any] | None = _IN_ITS_FILE
    reserved: Reserved = Reserved()
    before: Mapping[str, Any] | None = None

    @property
    def half_way(self) -> bool:
        """Whether items may have one form, others another."""
        return (self.touched or self.before is not None) and self.state in _HALF_WAY

    @property
    def ended(self) -> Entry:
        """What is left of it once no item is as it has made it."""
        if self.before is None:
            return self._replace(state="failed" if self.reason else "undone", touched=False)
        former = Entry.loads(self.before)
        # What was done with already may have been mended, and taken back: it is gone through anew.
        return former._replace(
            reason=self.reason or former.reason, progress=Progress(), reserved=max(self.reserved, former.reserved)
        )

    def document(self) -> dict[str, Any]:
        """Write it as a document."""
        return {**self._asdict(), "progress": self.progress._asdict()}

    @classmethod
    def loads(cls, document: Mapping[str, Any]) -> Entry:
        """Read it from its document."""
        progress = document["progress"]
        read: dict[str, Any] = {
            # An entry of before these were kept: it may have changed items, and nobody knows how to take that back.
            "touched": document["state"] in _HALF_WAY,
            **document,
            "progress": Progress(**{**progress, "cursors": tuple(progress["cursors"])}),
            "reserved": Reserved(*document.get("reserved", ())),
        }
        return cls(**read)


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

    @property
    def reserved(self) -> Reserved:
        """The last writes, of whichever migration."""
        return max([Reserved(), *[entry.reserved for entry in self.entries.values()]])

    def before(self, release: str) -> int:
        """Tell the schema that was in force before a release."""
        others = {number: entry for number, entry in self.entries.items() if entry.release != release}
        return Journal(others).schema

    def newest_first(self) -> list[tuple[int, Entry]]:
        """List the entries, the highest number first."""
        return sorted(self.entries.items(), reverse=True)

    def enter(self, number: int, entry: Entry) -> Journal:
        """Return the journal with an entry added or replaced."""
        return Journal({**self.entries, number: entry})

    def dumps(self) -> str:
        """Write it as JSON."""
        return documents.dumps({str(number): entry.document() for number, entry in sorted(self.entries.items())})

    @classmethod
    def loads(cls, text: str) -> Journal:
        """Read it from JSON."""
        return cls({int(number): Entry.loads(document) for number, document in documents.loads(text).items()})
