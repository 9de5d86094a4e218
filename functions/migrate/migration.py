"""What a migration is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

Item = Mapping[str, Any]

_NONE: Mapping[str, Any] = MappingProxyType({})

# So many characters of a file's checksum are shown, and name it.
SHOWN = 12


class Backfill(NamedTuple):
    """A change of every item that `where` holds for, safe to repeat and to run beside traffic.

    Each item is updated on the condition that `where` still holds, so that nothing which changed meanwhile is
    overwritten; after the update it must hold no longer, so that a second run finds nothing to do.

    Attributes:
        table: one of the project's, as `tables` names it.
        where: a DynamoDB condition, used as the scan's filter and as each update's condition.
        update: a DynamoDB update expression.
        names: the placeholders of either expression (`#name`).
        values: placeholders of either expression (`:value`), in DynamoDB's JSON, the same for every item.
        computed: makes placeholders of the update from the item; a pure function.
        reads: the attributes that `computed` looks at; each update is on the condition that they are as they were read.
    """

    table: str
    where: str
    update: str
    names: Mapping[str, str] = _NONE
    values: Mapping[str, Any] = _NONE
    computed: Callable[[Item], Mapping[str, Any]] | None = None
    reads: tuple[str, ...] = ()


class Migration(NamedTuple):
    """A file of `versions`.

    Attributes:
        number: the schema that is in force once it is expanded; numbers rise from file to file.
        name: the file's, without its suffix.
        checksum: of the file's text.
        expand: makes room for the new form beside the old one; both versions of the code work on it. None: nothing
            has to be done to the items.
        contract: takes the old form away. None: there is none to take away.
        down: takes back what `expand` did. None: that isn't safe, the expanded form stays.
        bake_s: so long after the expand `contract` waits.
        mends: beginnings of the checksums of files that weren't got through with, and for whose half-changed items
            this one was written, too.
    """

    number: int
    name: str
    checksum: str
    expand: Backfill | None
    contract: Backfill | None
    down: Backfill | None
    bake_s: float
    mends: tuple[str, ...] = ()

    def may_follow(self, checksum: str) -> bool:
        """Tell whether it was written for what the file of a checksum left half-way."""
        return any(checksum.startswith(begin) for begin in self.mends)
