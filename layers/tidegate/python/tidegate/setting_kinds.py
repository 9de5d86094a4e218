"""The kinds of settings: how each is read from a variable's text, and its valid values.

A kind's `read` makes a value of a text. Its `check` refuses a wrong value, also of one that was made in code. Both
raise a ValueError that says what to write instead. They are plain classes, because dataclasses and named tuples take
ten times as long to define at a cold start.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import isfinite
from typing import Any, NoReturn, Protocol

from tidegate.units import LONGEST_US, duration_us

LONGEST_MS = LONGEST_US // 1000

# No setting's number has more digits, and `int` is slow for very many of them.
_DIGITS = 18
_FLAGS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


class Kind(Protocol):
    """A kind of setting."""

    def read(self, text: str) -> Any:
        """Make a value of a text.

        Raises:
            ValueError: the text is no such value.
        """

    def check(self, value: Any) -> None:
        """Refuse a wrong value.

        Raises:
            ValueError: the value is wrong.
        """


class Whole:
    """A whole number.

    Args:
        low, high: its bounds.
        wrong: the error's text after the value: what is wrong, and what to write.
    """

    def __init__(self, low: int, high: int, wrong: str) -> None:
        self._low, self._high, self._wrong = low, high, wrong

    def read(self, text: str) -> int:
        """Read digits alone: no sign, no unit, and no digits of other scripts."""
        if not _is_digits(text):
            _refuse(text, self._wrong)
        return int(text)

    def check(self, value: Any) -> None:
        """Refuse a value that isn't a whole number (True and False aren't either), or is out of bounds."""
        if type(value) is not int or not self._low <= value <= self._high:
            _refuse(value, self._wrong)


class Number:
    """A number, infinities and "not a number" excluded.

    Args:
        low, high: its bounds.
        wrong: the error's text after the value: what is wrong, and what to write.
    """

    def __init__(self, low: float, high: float, wrong: str) -> None:
        self._low, self._high, self._wrong = low, high, wrong

    def read(self, text: str) -> float:
        """Read it as Python does, but without underscores."""
        try:
            return float("" if "_" in text else text)
        except ValueError:
            raise ValueError(f"{text!r} {self._wrong}") from None

    def check(self, value: Any) -> None:
        """Refuse a value that isn't a number, or is out of bounds."""
        if type(value) not in {int, float} or not isfinite(value) or not self._low <= value <= self._high:
            _refuse(value, self._wrong)


class Flag:
    """Yes or no."""

    def read(self, text: str) -> bool:
        """Read `1`, `true`, `yes`, `0`, `false` or `no`, in any case."""
        if text.lower() not in _FLAGS:
            _refuse(text, "is neither yes nor no; write 1 or 0")
        return _FLAGS[text.lower()]

    def check(self, value: Any) -> None:
        """Refuse every value except True and False."""
        if type(value) is not bool:
            _refuse(value, "is neither True nor False")


class Switch(Flag):
    """A flag that a variable sets by one word of its own.

    Args:
        word: the word.
        wrong: the error's text after another word: what is wrong, and what to write.
    """

    def __init__(self, word: str, wrong: str) -> None:
        self._word, self._wrong = word, wrong

    def read(self, text: str) -> bool:
        """Read that word."""
        if text != self._word:
            _refuse(text, self._wrong)
        return True


class Word:
    """One word of several."""

    def __init__(self, *words: str) -> None:
        self._words = words

    def read(self, text: str) -> str:
        """Take it as it is."""
        return text

    def check(self, value: Any) -> None:
        """Refuse another word."""
        if value not in self._words:
            _refuse(value, f"is unknown; write one of {self._words}")


class Text:
    """A text.

    Args:
        pattern: a regular expression that must match the whole text.
        wrong: the error's text after the value: what is wrong, and what to write.
        told: whether the error repeats a wrong text; it must not if that may hold a secret.
    """

    def __init__(self, pattern: str, wrong: str, *, told: bool = True) -> None:
        self._pattern, self._wrong, self._repeats = pattern, wrong, told

    def read(self, text: str) -> str:
        """Take it as it is."""
        return text

    def check(self, value: Any) -> None:
        """Refuse a value that isn't a text, or doesn't match."""
        if isinstance(value, str) and re.fullmatch(self._pattern, value, re.ASCII | re.DOTALL):
            return
        if self._repeats:
            _refuse(value, self._wrong)
        raise ValueError(f"this {self._wrong}")


class Milestones:
    """Two thresholds in milliseconds: where a signal begins to count, and where it counts in full.

    Args:
        high: the upper bound of both.
    """

    _WRONG = "is no span of milliseconds; write where it begins and where it ends, as 100-1000 (in code: (100, 1000))"

    def __init__(self, high: int) -> None:
        self._high = high

    def read(self, text: str) -> tuple[int, int]:
        """Read `low-high`."""
        low, _, high = text.partition("-")
        if not (_is_digits(low) and _is_digits(high)):
            _refuse(text, self._WRONG)
        return int(low), int(high)

    def check(self, value: Any) -> None:
        """Refuse a value that isn't a pair of whole numbers with the second above the first."""
        pair = type(value) is tuple and [type(end) for end in value] == [int, int]
        if not pair or not 0 <= value[0] < value[1] <= self._high:
            _refuse(value, self._WRONG)


class Milliseconds(Whole):
    """A duration in whole milliseconds; a variable has it with a unit, such as `24h`."""

    def read(self, text: str) -> int:
        """Read a number and a unit."""
        milliseconds = duration_us(text) // 1000
        if not self._low <= milliseconds <= self._high:
            _refuse(text, self._wrong)
        return milliseconds


class Pair:
    """Two texts, which no single variable holds.

    Args:
        wrong: the error's text after the value: what is wrong, and what to write.
    """

    def __init__(self, wrong: str) -> None:
        self._wrong = wrong

    def read(self, text: str) -> NoReturn:
        """Refuse it."""
        _refuse(text, self._wrong)

    def check(self, value: Any) -> None:
        """Refuse a value that isn't a pair of texts."""
        pair = type(value) is tuple and [isinstance(part, str) for part in value] == [True, True]
        if not pair or "" in value:
            _refuse(value, self._wrong)


class Made:
    """A value of a class of its own.

    Args:
        read: makes a value of a text.
        check: refuses a wrong value.
    """

    def __init__(self, read: Callable[[str], Any], check: Callable[[Any], None]) -> None:
        self.read, self.check = read, check


class OrNone:
    """A value of another kind, or None."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind

    def read(self, text: str) -> Any:
        """Read a value of that kind."""
        return self._kind.read(text)

    def check(self, value: Any) -> None:
        """Refuse a value that the kind refuses, except None."""
        if value is not None:
            self._kind.check(value)


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS


def _refuse(value: object, wrong: str) -> NoReturn:
    raise ValueError(f"{value!r} {wrong}")
