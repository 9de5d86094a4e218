from tests.scoreboard.cell import Cell
from tests.scoreboard.running import Position


def facts():
    return []


def progress(position: Position, cell: Cell) -> None:
    print(
        f"{position.contender.name:28} {position.family:11} {position.situation.name:28} {cell.verdict.value:11} {cell.seen}",
        flush=True,
    )


def show(o):
    pass


def write(o, f):
    pass
