"""Both pages say what the cells say, whatever stands in them."""

from html.parser import HTMLParser

from tests.scoreboard import html_page, page
from tests.scoreboard.cell import Cell, Verdict
from tests.scoreboard.contenders import slowapi, tidegate
from tests.scoreboard.running import positions
from tests.scoreboard.situations import TABLES

FACTS = [("date", "2026-01-02"), ("command", "`make scoreboard`")]
CYCLE = (Verdict.HELD, Verdict.FAILED, Verdict.NOT_OFFERED, Verdict.NOT_RUN)
POSITIONS = positions(TABLES[:2], (*tidegate.ROWS, *slowapi.ROWS))
OUTCOMES = {
    position: Cell(CYCLE[number % len(CYCLE)], f"a | b <i>{number}</i>") for number, position in enumerate(POSITIONS)
}


class Cells(HTMLParser):
    """Collects the classes of cells, and what a page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.classes: list[str] = []
        self.fetched: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.tags.add(tag)
        if tag == "td" and told.get("class"):
            self.classes.append(str(told["class"]))
        if tag in {"script", "link", "img", "iframe"}:
            self.fetched.append(tag)


def test_the_markdown_is_read_back_as_it_was_written():
    read = page.verdicts(page.markdown(OUTCOMES, FACTS))
    assert read == {
        (position.table.title, position.contender.name, position.situation.name): cell.verdict.value
        for position, cell in OUTCOMES.items()
    }


def test_each_table_has_as_many_cells_as_columns():
    for line in page.markdown(OUTCOMES, FACTS).splitlines():
        if line.startswith("| Tidegate |") and "**" in line:
            assert line.replace("\\|", "").count("|") in {len(table.situations) + 2 for table in TABLES[:2]}


def test_the_html_has_each_verdict_and_fetches_nothing():
    cells = Cells()
    text = html_page.rendered("Does it hold?", ["held"], OUTCOMES, FACTS)
    cells.feed(text)
    assert cells.classes == [cell.verdict.value.replace(" ", "-") for cell in OUTCOMES.values()]
    assert cells.fetched == []
    assert "i" not in cells.tags
    assert "@import" not in text
    assert "url(" not in text


def test_what_was_measured_has_no_verdict():
    position = positions(TABLES, tidegate.ROWS)[-1]
    outcomes = {position: Cell(Verdict.MEASURED, "1.2 x")}
    text = page.markdown(outcomes, FACTS)
    assert f"| {position.contender.name} | 1.2 x |" in text
    assert page.verdicts(text) == {}
