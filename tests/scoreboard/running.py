"""Runs cells: several at once where they wait, one after the other where they measure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from tests.harness.dynamodb import DynamoServer
from tests.scoreboard.cell import Cell, Situation, Verdict
from tests.scoreboard.contender import Contender
from tests.scoreboard.place import Family, NotOfferedError
from tests.scoreboard.stage import Stage

AT_ONCE = 3


class Position(NamedTuple):
    """Where a cell stands."""

    family: Family
    contender: Contender
    situation: Situation


Outcomes = dict[Position, Cell]


def positions(contenders: Sequence[Contender], situations: Sequence[Situation]) -> list[Position]:
    """Every cell of every table."""
    return [
        Position(family, contender, situation)
        for contender in contenders
        for family in contender.families
        for situation in situations
        if family in situation.families
    ]


def run(asked: Sequence[Position], missing: dict[str, str], progress: Callable[[Position, Cell], None]) -> Outcomes:
    """Run them all.

    Args:
        asked: the cells.
        missing: why a group's environment isn't there, by its name.
        progress: is told of each cell as it ends.
    """
    outcomes: Outcomes = {}
    with DynamoServer() as dynamo:

        def one(position: Position) -> None:
            why = missing.get(position.contender.group or "")
            cell = Cell(Verdict.NOT_RUN, why) if why else _run(position, dynamo)
            outcomes[position] = cell
            progress(position, cell)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(one, [position for position in asked if not position.situation.alone]))
        for position in asked:
            if position.situation.alone:
                one(position)
    return {position: outcomes[position] for position in asked}


def _run(position: Position, dynamo: DynamoServer) -> Cell:
    try:
        with Stage(position.contender, position.family, position.situation, dynamo) as stage:
            return position.situation.run(stage)
    except NotOfferedError as error:
        return Cell(Verdict.NOT_OFFERED, str(error))
    except Exception as error:  # noqa: BLE001  a cell that can't be run says so, and the others are
        return Cell(Verdict.NOT_RUN, f"{type(error).__name__}: {str(error).splitlines()[-1] if str(error) else ''}")
