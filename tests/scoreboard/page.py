"""What a run says: on the terminal, in docs/scoreboard.md, and in docs/scoreboard.html, which stands alone."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.harness.redis_server import RedisServer
from tests.scoreboard import html_page
from tests.scoreboard.cell import Cell, Verdict
from tests.scoreboard.contender import Contender
from tests.scoreboard.running import Outcomes, Position
from tests.scoreboard.situations import Table

DOCS = Path(__file__).parents[2] / "docs"
COMMAND = "make scoreboard"
TITLE = "Does it hold?"
INTRODUCTION = (
    f"Written by `{COMMAND}`; every cell was seen by that run, and nothing was put right by hand. Each library serves "
    "its application in a process of its own (uvicorn, one event loop), set up as its documentation has it, in one "
    "file that its maintainers can review: `tests/scoreboard/contenders/`. Clients ask over HTTP. Redis and DynamoDB's "
    "engine are real processes behind a TCP proxy, which makes the faults. Tidegate runs the same programs, and its "
    "rows say where it loses."
)
VERDICTS = (
    "**held**: what is expected below was seen. **failed**: something else was, and the cell says what. **not "
    "offered**: the library has no such feature. **not run**: the cell couldn't be run here, with the reason. What "
    "hangs is stopped after 4 s."
)
Facts = Sequence[tuple[str, str]]
_LINK = re.compile(r"https://[^\s()]+[^\s().,;]")
_BETWEEN = re.compile(r"(?<!\\)\|")
_CELL = re.compile(r"\*\*([a-z ]+)\*\*")


def facts(versions: Facts) -> Facts:
    """Where and when a run is made, and what ran."""
    with RedisServer() as server:
        redis = server.info("server")["redis_version"]
    load, *_ = os.getloadavg()
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    return [
        ("date", datetime.now(UTC).date().isoformat()),
        ("command", f"`{COMMAND}`"),
        ("machine", f"{cores} cores, {platform.system()} {platform.machine()}; load {load:.1f} when it began"),
        ("Python", platform.python_version()),
        ("Redis", f"{redis}, on loopback"),
        *versions,
    ]


def progress(position: Position, cell: Cell) -> None:
    """Print a cell as it ends."""
    where = f"{position.contender.name:28} {position.table.family:12} {position.situation.name:32}"
    print(f"{where} {cell.verdict.value:12} {cell.seen}", flush=True)  # noqa: T201  a command's output


def write(outcomes: Outcomes, told: Facts) -> None:
    """Write both pages of a whole run."""
    (DOCS / "scoreboard.md").write_text(markdown(outcomes, told), encoding="utf-8")
    (DOCS / "scoreboard.html").write_text(
        html_page.rendered(TITLE, [plain(INTRODUCTION), plain(VERDICTS)], outcomes, told), encoding="utf-8"
    )


def markdown(outcomes: Outcomes, told: Facts) -> str:
    """The page in Markdown."""
    parts = [f"# {TITLE}", f"{INTRODUCTION} [The same as a page that stands alone](scoreboard.html).", VERDICTS]
    parts.append("\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in told)]))
    parts += ["## In all", _summary(outcomes)]
    for table in tables(outcomes):
        parts += [f"## {table.title}", _table(table, outcomes), _expectations(table, outcomes)]
    parts += ["## The set-ups", "\n".join(_set_up(row) for row in contenders(outcomes))]
    return "\n\n".join(parts) + "\n"


def verdicts(page: str) -> dict[tuple[str, str, str], str]:
    """What a page in Markdown says: the verdict by table, contender and situation."""
    found: dict[tuple[str, str, str], str] = {}
    title, columns = "", list[str]()
    for line in page.splitlines():
        cells = [cell.strip() for cell in _BETWEEN.split(line.strip("|"))]
        if line.startswith("## "):
            title, columns = line[3:], []
        elif line.startswith("| ") and title and not columns:
            columns = cells
        elif line.startswith("| ") and title:
            marks = [_CELL.match(cell) for cell in cells]
            found |= {(title, cells[0], column): mark[1] for column, mark in zip(columns, marks, strict=True) if mark}
    return found


def tables(outcomes: Outcomes) -> list[Table]:
    """The tables that a run has cells of, in their order."""
    return list(dict.fromkeys(position.table for position in outcomes))


def contenders(outcomes: Outcomes, table: Table | None = None) -> list[Contender]:
    """The rows that a run has cells of, in their order."""
    found = dict.fromkeys(position.contender for position in outcomes if table in (None, position.table))
    return list(found)


def counts(outcomes: Outcomes, contender: Contender) -> Counter[Verdict]:
    """How a contender fared in all."""
    return Counter(cell.verdict for position, cell in outcomes.items() if position.contender == contender)


def plain(text: str) -> str:
    """Markdown's marks taken away."""
    return text.replace("**", "").replace("`", "")


def _summary(outcomes: Outcomes) -> str:
    shown = (Verdict.HELD, Verdict.FAILED, Verdict.NOT_OFFERED, Verdict.NOT_RUN)
    lines = [f"| | {' | '.join(verdict.value for verdict in shown)} |", f"|---|{'---|' * len(shown)}"]
    for row in contenders(outcomes):
        counted = counts(outcomes, row)
        lines.append(f"| {row.name} | {' | '.join(str(counted[verdict]) for verdict in shown)} |")
    return "\n".join(lines)


def _table(table: Table, outcomes: Outcomes) -> str:
    asked = [one for one in table.situations if any(one == position.situation for position in outcomes)]
    lines = [f"| | {' | '.join(one.name for one in asked)} |", f"|---|{'---|' * len(asked)}"]
    for row in contenders(outcomes, table):
        cells = [_cell(outcomes[Position(table, row, one)]) for one in asked]
        lines.append(f"| {row.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(cell: Cell) -> str:
    seen = cell.seen.replace("|", "\\|").replace("<", "&lt;")
    return seen if cell.verdict is Verdict.MEASURED else f"**{cell.verdict.value}**: {seen}"


def _expectations(table: Table, outcomes: Outcomes) -> str:
    asked = [one for one in table.situations if any(one == position.situation for position in outcomes)]
    return "\n".join(f"- *{one.name}*: {one.expected} Source: {_linked(one.source)}." for one in asked)


def _set_up(row: Contender) -> str:
    module = row.app.__module__.replace(".", "/")
    return f"- {row.name}: `{module}.py`, after {_documented(row.documentation)}"


def _documented(where: str) -> str:
    return _linked(where) if where.startswith("https://") else f"`{where}`"


def _linked(text: str) -> str:
    return _LINK.sub(r"<\g<0>>", text)
