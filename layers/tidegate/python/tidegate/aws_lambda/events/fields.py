"""An event's header fields in ASGI's form: one pair for each line, names in lower case, bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from tidegate.aws_lambda.events.kind import EventKind, MalformedEventError

Fields = list[tuple[bytes, bytes]]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)  # RFC 9110, section 5.6.2
_BREAKS = re.compile(r"[\r\n\0]")
# Names that came before, as bytes: most requests have the same ones. Bounded, since clients choose them.
_KNOWN: dict[str, bytes] = {}
_MOST_KNOWN, _LONGEST_KNOWN = 512, 64


def fields_of(event: dict[str, Any], kind: EventKind) -> Fields:
    """Return the fields of an event.

    Raises:
        MalformedEventError: a name or a value isn't valid in a header field.
    """
    many, one = event.get("multiValueHeaders") or {}, event.get("headers") or {}
    if not isinstance(many, dict) or not isinstance(one, dict):
        raise MalformedEventError("Its headers are no object.")
    fields: Fields = []
    known = _KNOWN.get
    for name, values in many.items():
        if type(values) is list and len(values) == 1 and type(value := values[0]) is str and value.isprintable():
            fields.append((known(name) or _name(name), value.encode()))  # the fast path for nearly all fields
        elif values is not None:
            key = _name(name)
            fields += [(key, _value(value)) for value in _list(values, "multiValueHeaders") if value is not None]
    if not many or not one.keys() <= many.keys():
        read = {name.lower() for name in many}
        fields += [(_name(name), _value(value)) for name, value in _unread(one, read) if value is not None]
    if kind == "http" and event.get("cookies"):
        fields = [field for field in fields if field[0] != b"cookie"]
        fields.append((b"cookie", _value("; ".join(_texts(event["cookies"], "cookies")))))
    return fields


def firsts(fields: Fields, names: frozenset[bytes]) -> dict[bytes, str]:
    """Return the first field of each of these names as text, in one pass over all fields."""
    return {name: value.decode("latin-1") for name, value in reversed(fields) if name in names}


def _unread(one: dict[str, Any], read: set[str]) -> Iterable[tuple[str, Any]]:
    return [(name, value) for name, value in one.items() if _lower(name) not in read] if read else one.items()


def _lower(name: Any) -> str:
    return name.lower() if isinstance(name, str) else ""


def _list(values: Any, where: str) -> list[Any]:
    if not isinstance(values, list | tuple):
        raise MalformedEventError(f"Its {where} hold what is no list.")
    return list(values)


def _texts(values: Any, where: str) -> Iterable[str]:
    listed = _list(values, where)
    if not all(isinstance(value, str) for value in listed):
        raise MalformedEventError(f"Its {where} hold what is no text.")
    return listed


def _name(name: Any) -> bytes:
    known = _KNOWN.get(name)
    if known is not None:
        return known
    if not isinstance(name, str) or _TOKEN.fullmatch(name) is None:
        raise MalformedEventError("Its headers have a name that is no token.")
    lower = name.lower().encode("ascii")
    if len(_KNOWN) < _MOST_KNOWN and len(name) <= _LONGEST_KNOWN:
        _KNOWN[name] = lower
    return lower


def _value(value: Any) -> bytes:
    if not isinstance(value, str):
        raise MalformedEventError("Its headers have a value that is no text.")
    # Printable text has no line break; that check is faster than the pattern.
    if not value.isprintable() and _BREAKS.search(value):
        raise MalformedEventError("Its headers have a value that breaks its line.")
    return value.encode()
