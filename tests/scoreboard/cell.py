"""What a cell says, and what a situation is: a column of the scoreboard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from tests.scoreboard.place import DEFAULT_LIMIT, Limit

if TYPE_CHECKING:
    from tests.scoreboard.stage import Stage


class Verdict(Enum):
    """What became of a contender in a situation."""

    HELD = "held"
    FAILED = "failed"
    NOT_OFFERED = "not offered"
    MEASURED = "measured"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Cell:
    """A verdict, and the fact that it rests on."""

    verdict: Verdict
    seen: str


@dataclass(frozen=True)
class Situation:
    """A column.

    Attributes:
        name: its heading.
        expected: what must be seen for `held`, in a sentence.
        source: who says so: a specification, a page, or a contender's own promise.
        run: the program; it returns the cell, and may raise `NotOfferedError`.
        limit, ttl_s, origin_s, per_caller: what its applications are made with, as in `Place`.
        alone: whether it measures, so that nothing else may run beside it.
    """

    name: str
    expected: str
    source: str
    run: Callable[[Stage], Cell]
    limit: Limit = DEFAULT_LIMIT
    ttl_s: int = 600
    origin_s: float = 0.0
    per_caller: bool = False
    alone: bool = False


def held(seen: str) -> Cell:
    """What was expected was seen."""
    return Cell(Verdict.HELD, seen)


def failed(seen: str) -> Cell:
    """Something else was seen."""
    return Cell(Verdict.FAILED, seen)


def judged(seen: str, *, fine: bool) -> Cell:
    """Held if it is fine, else failed."""
    return held(seen) if fine else failed(seen)
