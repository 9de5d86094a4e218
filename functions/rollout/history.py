"""The history of releases in the ledger: the versions that served, those that were given up, and those in force."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple

Versions = Mapping[str, str]
# `by-hand` is a person's change of an alias; `taken-back` a promotion that the stack's rollback undid; `by-stack` any
# other change by the stack, which repaired an alias.
Ended = Literal["promoted", "rolled-back", "refused", "by-hand", "taken-back", "by-stack"]
_SERVED: frozenset[Ended] = frozenset({"promoted", "by-hand"})
_GIVEN_UP: frozenset[Ended] = frozenset({"rolled-back", "refused", "taken-back"})
# So many entries are kept of promotions, and as many of all others, so that failures never displace the promotions.
_KEPT = 20


class Entry(NamedTuple):
    """One release, or one change of aliases outside a release.

    Attributes:
        release: its id, which is the request's that ordered it.
        versions: the versions to put in force, by function.
        before: the versions in force before, by function.
        ended: how it ended.
        at: when it ended; epoch seconds.
        reason: a sentence on why.
    """

    release: str
    versions: Versions
    before: Versions
    ended: Ended
    at: int
    reason: str = ""

    def dumps(self) -> str:
        """Return it as JSON."""
        return json.dumps(self._asdict(), default=dict)  # versions may be a view of a mapping

    @classmethod
    def loads(cls, text: str) -> Entry:
        """Read what `dumps` wrote; members that later releases add are ignored."""
        members = json.loads(text)
        return cls(*[members[name] for name in cls._fields if name in members])


class UnderWay(NamedTuple):
    """The release under way: its id, its versions, and those in force before it."""

    release: str
    versions: Versions
    before: Versions


class History(NamedTuple):
    """The ledger's history.

    Attributes:
        entries: in order of time.
        in_force: the versions in force by the ledger, by function.
        running: the release under way; None if none is.
    """

    entries: Sequence[Entry] = ()
    in_force: Versions = MappingProxyType({})
    running: UnderWay | None = None

    def served(self, function: str, version: str) -> bool:
        """Whether a version was ever in force: promoted, put in force by hand, or in force before a release."""
        known = [entry.versions for entry in self.entries if entry.ended in _SERVED]
        known += [entry.before for entry in self.entries]
        known += [self.running.before] if self.running else []
        return any(versions.get(function) == version for versions in [*known, self.in_force])

    def ended(self, release: str) -> Entry | None:
        """Return the entry of a release that has ended; None if it runs, or is unknown."""
        return next((entry for entry in reversed(self.entries) if entry.release == release), None)

    def of(self, versions: Versions) -> Entry | None:
        """Return the entry of the last release of these versions; None if there is none."""
        ends = {"promoted", *_GIVEN_UP}
        found = [entry for entry in self.entries if entry.ended in ends and entry.versions == versions]
        return found[-1] if found else None

    def given_up(self, versions: Versions) -> bool:
        """Whether the last release of these versions was rolled back, refused or taken back."""
        last = self.of(versions)
        return last is not None and last.ended in _GIVEN_UP

    def taken_back(self, versions: Versions, since_s: int) -> bool:
        """Whether the stack has gone back from these versions since a time (epoch seconds)."""
        return any(
            entry.ended == "taken-back" and entry.versions == versions and entry.at >= since_s for entry in self.entries
        )

    def promotions(self) -> list[Versions]:
        """Return the sets of versions that releases have promoted, the latest last, each once."""
        sets: list[Versions] = []
        for entry in self.entries:
            if entry.ended in {"promoted", "taken-back"}:
                sets = [versions for versions in sets if versions != entry.versions]
            if entry.ended == "promoted":
                sets.append(entry.versions)
        return sets

    def put_by_hand(self, since_s: int) -> Versions:
        """Return the versions that a person put in force last, since a time (epoch seconds); empty if none did."""
        found = [entry.versions for entry in self.entries if entry.ended == "by-hand" and entry.at >= since_s]
        return found[-1] if found else {}


def trimmed(entries: Sequence[str]) -> list[str]:
    """Return the entries to keep, in their order, as `Entry.dumps` wrote them."""
    served = [Entry.loads(text).ended == "promoted" for text in entries]
    kept = []
    for at, text in enumerate(entries):
        later = served[at:].count(served[at])
        if later <= _KEPT:
            kept.append(text)
    return kept
