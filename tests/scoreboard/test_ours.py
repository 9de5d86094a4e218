"""Tidegate's own cells stay as good as the page has them: the same programs, without the peers and the costs."""

from pathlib import Path

import pytest

from tests.scoreboard import page, running
from tests.scoreboard.cell import Cell, Verdict
from tests.scoreboard.contenders import tidegate
from tests.scoreboard.contenders.everyone import CONTENDERS
from tests.scoreboard.situations import TABLES

pytestmark = [pytest.mark.xdist_group("scoreboard"), pytest.mark.slow]

ASKED = [position for position in running.positions(TABLES, tidegate.ROWS) if "costs" not in position.table.title]
WRITTEN = page.verdicts((page.DOCS / "scoreboard.md").read_text("utf-8"))
# They wait for clocks and processes, most of the time.
AT_ONCE = 4


def name(position: running.Position) -> str:
    return f"{position.contender.name}, {position.table.family}: {position.situation.name}"


def is_as_good(position: running.Position, cell: Cell) -> bool:
    """Whether it holds, or fails as on the page: what is lost by a hair there may be won here."""
    written = WRITTEN[position.table.title, position.contender.name, position.situation.name]
    return cell.verdict in {Verdict.HELD, Verdict(written)}


@pytest.fixture(scope="module")
def outcomes() -> running.Outcomes:
    """All cells; what isn't as good is run again by itself, for on a busy machine a decision misses its 60 ms."""
    first = running.run(ASKED, {}, page.progress, at_once=AT_ONCE)
    again = [position for position, cell in first.items() if not is_as_good(position, cell)]
    return {**first, **(running.run(again, {}, page.progress, at_once=1) if again else {})}


@pytest.mark.parametrize("position", ASKED, ids=name)
def test_a_cell_of_ours_is_as_good_as_the_page_says(outcomes, position):
    cell = outcomes[position]
    assert is_as_good(position, cell), f"{cell.verdict.value}: {cell.seen}"


def test_every_contender_has_its_requirements():
    folder = Path(__file__).parent / "requirements"
    for group in {row.group for row in CONTENDERS if row.group}:
        assert (folder / f"{group}.in").exists()
        assert "==" in (folder / f"{group}.txt").read_text("utf-8")


def test_the_page_has_no_cell_that_could_not_be_run():
    assert Verdict.NOT_RUN.value not in WRITTEN.values()
