"""What a migration's file says, checked when it is loaded: every field, of the halves that run much later, too."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from functions.migrate.migration import SHOWN, Backfill

HALVES = ("expand", "contract", "down")
# Placeholders that the runner adds begin so.
OURS = "tidegate_"

_PLACEHOLDER = re.compile(r"[#:]\w+")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_CHECKSUM = re.compile(rf"[0-9a-f]{{{SHOWN},64}}")


def faults(parts: Mapping[str, Any], tables: Collection[str]) -> Iterator[str]:
    """Say what is wrong with a file's parts, each by its name; `tables` are those that the project has."""
    for half in HALVES:
        yield from (f"{half}{fault}" for fault in _half(parts[half], tables))
    if not _is_seconds(parts["BAKE_S"]):
        yield f"BAKE_S is {parts['BAKE_S']!r}: it must be seconds, 0 or more"
    if not all(isinstance(each, str) and _CHECKSUM.fullmatch(each) for each in mended(parts["MENDS"])):
        yield (
            f"MENDS is {parts['MENDS']!r}: it must be the checksum of the file that this one was written to mend, "
            f"{SHOWN} characters or more of it, or a tuple of such"
        )


def mended(said: object) -> tuple[Any, ...]:
    """Read MENDS: one checksum, or several."""
    return tuple(said) if isinstance(said, tuple | list) else (said,)


def _is_seconds(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and value >= 0


def _half(half: Any, tables: Collection[str]) -> Iterator[str]:
    if half is None:
        return
    if type(half) is not Backfill:
        yield f" is of the type {type(half).__name__}: it must be a Backfill, or None"
        return
    yield from _table(half.table, tables)
    yield from _fields(half)


def _table(table: object, tables: Collection[str]) -> Iterator[str]:
    if isinstance(table, str) and table in tables:
        return
    if tables:
        yield f".table is {table!r}: it must be one of {', '.join(sorted(tables))}"
    else:
        yield f".table is {table!r}, and no TIDEGATE_<NAME>_TABLE names a table to this function"


def _fields(half: Any) -> Iterator[str]:
    """Check what its author wrote: its types are what it ought to be, and nobody has looked yet."""
    texts = {"where": half.where, "update": half.update}
    wrong = [name for name, text in texts.items() if not (isinstance(text, str) and text.strip())]
    yield from (f".{name} is {texts[name]!r}: it must be an expression of DynamoDB's" for name in wrong)
    placeholders = [
        *_placeholders("names", half.names, "#", _name),
        *_placeholders("values", half.values, ":", _value),
    ]
    yield from placeholders
    yield from _computation(half)
    if not (wrong or placeholders):
        yield from _undefined(half)


def _placeholders(field: str, given: object, mark: str, fault: Callable[[Any], str | None]) -> Iterator[str]:
    if not isinstance(given, Mapping):
        yield f".{field} is {given!r}: it must be a mapping from placeholders ({mark}name)"
        return
    for placeholder, value in given.items():
        if not (isinstance(placeholder, str) and re.fullmatch(rf"{mark}\w+", placeholder)):
            yield f".{field} has {placeholder!r}: a placeholder is {mark} and letters, digits or _"
        elif placeholder[1:].startswith(OURS):
            yield f".{field} has {placeholder!r}: what begins with {mark}{OURS} is the runner's own"
        elif said := fault(value):
            yield f".{field}[{placeholder!r}] is {value!r}: {said}"


def _name(value: object) -> str | None:
    return None if isinstance(value, str) and value else "it must be an attribute's name"


def _computation(half: Any) -> Iterator[str]:
    reads = half.reads
    if isinstance(reads, str) or not (isinstance(reads, Sequence) and all(isinstance(n, str) and n for n in reads)):
        yield f'.reads is {reads!r}: it must be a tuple of attributes\' names, ("total",) for one'
    if half.computed is None:
        return
    if not callable(half.computed):
        yield f".computed is {half.computed!r}: it must be a function of the item"
        return
    if inspect.iscoroutinefunction(half.computed):
        yield ".computed is a coroutine's function: it must be an ordinary one"
        return
    try:
        inspect.signature(half.computed).bind({})
    except TypeError as error:
        yield f".computed can't be called with the item alone: {error}"
    except ValueError:  # a built-in function, which tells no signature
        return


def _undefined(half: Any) -> Iterator[str]:
    """Name placeholders that nothing is given for; an update's values may be computed."""
    given = {*half.names, *half.values}
    for field, text in (("where", half.where), ("update", half.update)):
        for placeholder in sorted(set(_PLACEHOLDER.findall(text)) - given):
            if not (field == "update" and half.computed and placeholder.startswith(":")):
                yield f".{field} has {placeholder}, and {'names' if placeholder[0] == '#' else 'values'} don't"


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_number(value: object) -> bool:
    return isinstance(value, str) and _NUMBER.fullmatch(value) is not None


def _is_binary(value: object) -> bool:
    return isinstance(value, bytes | bytearray | str)  # text is taken by its bytes


def _is_set_of(fits: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list | tuple | set | frozenset) and bool(value) and all(map(fits, value))


def _fits(value: object) -> bool:
    """Tell whether it is a value in DynamoDB's JSON: one type, and what belongs to it."""
    if not (isinstance(value, Mapping) and len(value) == 1):
        return False
    ((kind, content),) = value.items()
    return kind in _KINDS and _KINDS[kind](content)


_KINDS: Mapping[str, Callable[[Any], bool]] = {
    "S": _is_text,
    "N": _is_number,
    "B": _is_binary,
    "BOOL": lambda value: isinstance(value, bool),
    "NULL": lambda value: value is True,
    "SS": _is_set_of(_is_text),
    "NS": _is_set_of(_is_number),
    "BS": _is_set_of(_is_binary),
    "L": lambda value: isinstance(value, list | tuple) and all(map(_fits, value)),
    "M": lambda value: isinstance(value, Mapping) and all(map(_is_text, value)) and all(map(_fits, value.values())),
}


def _value(value: object) -> str | None:
    return None if _fits(value) else 'it must be in DynamoDB\'s JSON, as {"N": "1"} is'
