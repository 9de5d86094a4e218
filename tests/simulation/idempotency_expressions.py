"""DynamoDB's condition and update expressions, as far as a claim, a bucket or an order uses them.

Read once into functions and kept: the simulation evaluates the same few of them a million times. What isn't
known is an error, never a guess.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

Value = dict[str, Any]
Item = Mapping[str, Value]
Condition = Callable[[Item, Mapping[str, Value]], bool]
Operand = Callable[[Item, Mapping[str, Value]], Value | None]
Assignment = tuple[str, Operand]

_TOKEN = re.compile(r"\s*([#:]?[A-Za-z_]\w*|<=|>=|<>|[<>=(),+-])")
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


class ExpressionError(Exception):
    """DynamoDB would answer ValidationException, or the simulation doesn't know the expression."""


def condition(text: str | None, names: Mapping[str, str]) -> Condition:
    """The condition of that text; None always holds."""
    return (lambda _item, _values: True) if text is None else _condition(text, tuple(sorted(names.items())))


def updated(text: str, names: Mapping[str, str], item: Item, values: Mapping[str, Value]) -> dict[str, Value]:
    """The item after an update expression; every operand is read before anything is written."""
    sets, removed = _update(text, tuple(sorted(names.items())))
    changes = {name: operand(item, values) for name, operand in sets}
    if missing := [name for name, value in changes.items() if value is None]:
        raise ExpressionError(f"{text!r} refers to what isn't in the item, for {missing}")
    kept = {name: value for name, value in item.items() if name not in removed}
    return kept | {name: value for name, value in changes.items() if value is not None}


@cache
def _condition(text: str, names: tuple[tuple[str, str], ...]) -> Condition:
    reader = _Reader(text, dict(names))
    found = reader.any_of()
    reader.end()
    return found


@cache
def _update(text: str, names: tuple[tuple[str, str], ...]) -> tuple[list[Assignment], set[str]]:
    reader = _Reader(text, dict(names))
    sets: list[Assignment] = []
    removed: set[str] = set()
    while reader.left:
        verb = reader.take().upper()
        if verb not in {"SET", "ADD", "REMOVE"}:
            raise ExpressionError(f"{verb} in {text!r} is unknown here")
        while True:
            path = reader.path(reader.take())
            if verb == "SET":
                reader.expect("=")
                sets.append((path, reader.sum()))
            elif verb == "ADD":
                sets.append((path, _plus(_or_zero(path), reader.operand(), 1)))
            else:
                removed.add(path)
            if not reader.skip(","):
                break
    return sets, removed


class _Reader:
    """Recursive descent over one expression."""

    def __init__(self, text: str, names: Mapping[str, str]) -> None:
        self._text, self._names = text, names
        self._tokens = _tokens(text)
        self._at = 0

    @property
    def left(self) -> bool:
        return self._at < len(self._tokens)

    def take(self) -> str:
        if not self.left:
            raise ExpressionError(f"{self._text!r} ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def skip(self, word: str) -> bool:
        if self.left and self._tokens[self._at].upper() == word:
            self._at += 1
            return True
        return False

    def expect(self, word: str) -> None:
        if not self.skip(word):
            raise ExpressionError(f"{word!r} is missing in {self._text!r}")

    def end(self) -> None:
        if self.left:
            raise ExpressionError(f"{self._tokens[self._at]!r} is left over in {self._text!r}")

    def path(self, token: str) -> str:
        return self._names[token] if token.startswith("#") else token

    def any_of(self) -> Condition:
        parts = [self.all_of()]
        while self.skip("OR"):
            parts.append(self.all_of())
        return parts[0] if len(parts) == 1 else lambda item, values: any(part(item, values) for part in parts)

    def all_of(self) -> Condition:
        parts = [self.one()]
        while self.skip("AND"):
            parts.append(self.one())
        return parts[0] if len(parts) == 1 else lambda item, values: all(part(item, values) for part in parts)

    def one(self) -> Condition:
        if self.skip("NOT"):
            negated = self.one()
            return lambda item, values: not negated(item, values)
        if self.skip("("):
            inner = self.any_of()
            self.expect(")")
            return inner
        for word, wanted in (("ATTRIBUTE_EXISTS", True), ("ATTRIBUTE_NOT_EXISTS", False)):
            if self.skip(word):
                return self._presence(wanted=wanted)
        return self._comparison()

    def sum(self) -> Operand:
        total = self.operand()
        while (plus := self.skip("+")) or self.skip("-"):
            total = _plus(total, self.operand(), 1 if plus else -1)
        return total

    def operand(self) -> Operand:
        token = self.take()
        if token.startswith(":"):
            return lambda _item, values: values[token]
        if token.lower() == "if_not_exists":
            self.expect("(")
            path = self.path(self.take())
            self.expect(",")
            otherwise = self.sum()
            self.expect(")")
            return lambda item, values: item.get(path) or otherwise(item, values)
        path = self.path(token)
        return lambda item, _values: item.get(path)

    def _presence(self, *, wanted: bool) -> Condition:
        self.expect("(")
        path = self.path(self.take())
        self.expect(")")
        return lambda item, _values: (path in item) is wanted

    def _comparison(self) -> Condition:
        left = self.operand()
        sign = self.take()
        if sign not in _COMPARISONS:
            raise ExpressionError(f"{sign!r} in {self._text!r} is unknown here")
        compare, right = _COMPARISONS[sign], self.operand()

        def holds(item: Item, values: Mapping[str, Value]) -> bool:
            a, b = left(item, values), right(item, values)
            return a is not None and b is not None and a.keys() == b.keys() and compare(_plain(a), _plain(b))

        return holds


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None:
            raise ExpressionError(f"{text[at:]!r} can't be read")
        tokens.append(found[1])
        at = found.end()
    return tokens


def _plain(value: Value) -> Any:
    [(kind, content)] = value.items()
    return int(content) if kind == "N" else content


def _or_zero(path: str) -> Operand:
    return lambda item, _values: item.get(path, {"N": "0"})


def _plus(left: Operand, right: Operand, sign: int) -> Operand:
    def total(item: Item, values: Mapping[str, Value]) -> Value | None:
        a, b = left(item, values), right(item, values)
        return None if a is None or b is None else {"N": str(int(a["N"]) + sign * int(b["N"]))}

    return total
