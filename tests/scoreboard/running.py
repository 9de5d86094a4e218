"""Runs cells: several at once where they wait, one after the other where they measure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from tests.harness.dynamodb import DynamoServer
from tests.scoreboard.cell import Cell, Situation, Verdict
from tests.scoreboard.contender import Contender
from tests.scoreboard.place import NotOfferedError
from tests.scoreboard.situations import Table
from tests.scoreboard.stage import Stage

AT_ONCE = 3


class Position(NamedTuple):
    """Where a cell stands."""

    table: Table
    contender: Contender
    situation: Situation


Outcomes = Mapping[Position, Cell]


def positions(tables: Iterable[Table], contenders: Iterable[Contender], word: str = "") -> list[Position]:
    """Every cell of the tables; or of the situations with this word in their names."""
    return [
        Position(table, contender, situation)
        for table in tables
        for contender in contenders
        for situation in table.situations
        if table.family in contender.families and word.lower() in situation.name.lower()
    ]


def run(
    asked: Sequence[Position],
    missing: Mapping[str, str],
    progress: Callable[[Position, Cell], None],
    at_once: int = AT_ONCE,
) -> Outcomes:
    """Run them all.

    Args:
        asked: the cells.
        missing: why a group's environment isn't there, by its name.
        progress: is told of each cell as it ends.
        at_once: how many run at the same time, of those that measure no time.
    """
    outcomes: dict[Position, Cell] = {}
    with DynamoServer() as dynamo:

        def one(position: Position) -> None:
            why = missing.get(position.contender.group or "")
            cell = Cell(Verdict.NOT_RUN, why) if why else _run(position, dynamo)
            outcomes[position] = cell
            progress(position, cell)

        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(one, [position for position in asked if not position.situation.alone]))
        for position in asked:
            if position.situation.alone:
                one(position)
    return {position: outcomes[position] for position in asked}


def _run(position: Position, dynamo: DynamoServer) -> Cell:
    try:
        with Stage(position.contender, position.table.family, position.situation, dynamo) as stage:
            return position.situation.run(stage)
    except NotOfferedError as error:
        return Cell(Verdict.NOT_OFFERED, str(error))
    except Exception as error:  # noqa: BLE001  a cell that can't be run says so, and the others are
        said = str(error).splitlines() or [""]
        return Cell(Verdict.NOT_RUN, f"{type(error).__name__}: {said[-1]}")
