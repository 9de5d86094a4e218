"""What a run of the benchmarks says: tables on the terminal, docs/benchmarks.md and docs/benchmarks.png.

Every number comes from the run. A run of only some benchmarks prints its tables and writes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable

from tests.benchmarks import machine
from tests.benchmarks.chart import Panel, draw

DOCS = Path(__file__).parents[2] / "docs"
# The order in which one reads; a run in which every one of them was measured is a whole run.
SECTIONS = (
    "round-trips",
    "added-latency",
    "where-the-time-goes",
    "server",
    "metrics-cost",
    "cold-start",
    "import-budget",
    "decisions",
    "bytes-per-key",
    "fleet-cost",
    "in-memory-parts",
    "accuracy",
    "restarted-empty",
    "hung",
    "hung-under-load",
    "stampede",
    "expiry",
)
_PREAMBLE = (
    "Written by `make bench`; every number was measured by that run. Read the ratios: a time depends on the machine "
    "and on what else it does, a ratio of two things measured in turns hardly does."
)


@dataclass(frozen=True)
class Goal:
    """A figure that issue 3 asks for, and what this run measured."""

    what: str
    measured: str
    goal: str
    met: bool


@dataclass(frozen=True)
class Table:
    """One table; the first column names the contender, ours begins with `Tidegate`."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass
class Section:
    """One benchmark's part of the report.

    Attributes:
        key: one of `SECTIONS`.
        title: its heading.
        how: how it was measured, in a few sentences.
        tables, notes, goals: what it says.
        panel: its part of the chart.
    """

    key: str
    title: str
    how: str
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    panel: Panel | None = None


class Report:
    """Collects the sections of a run."""

    def __init__(self) -> None:
        self._sections: dict[str, Section] = {}
        self._console = Console(width=150)
        self._machine = machine.facts()

    def add(self, section: Section) -> None:
        """Print a section and keep it."""
        assert section.key in SECTIONS
        self._sections[section.key] = section
        self._console.print()
        self._console.rule(section.title, align="left")
        self._console.print(section.how, style="dim")
        for table in section.tables:
            self._print(table)
        for note in section.notes:
            self._console.print(f"- {note}", markup=False, highlight=False)

    def finish(self) -> None:
        """Print the goals; write the documents if the run was whole."""
        sections = [self._sections[key] for key in SECTIONS if key in self._sections]
        if not sections:
            return
        self._print(self._goals(sections))
        missing = [key for key in SECTIONS if key not in self._sections]
        if missing:
            self._console.print(f"docs/benchmarks.md is left as it was: this run has no {', '.join(missing)}.")
            return
        draw([section.panel for section in sections if section.panel], DOCS / "benchmarks.png")
        (DOCS / "benchmarks.md").write_text(self._markdown(sections), encoding="utf-8")
        self._console.print("Written: docs/benchmarks.md, docs/benchmarks.png")

    def _print(self, table: Table) -> None:
        shown = RichTable(title=table.title, title_justify="left")
        for number, column in enumerate(table.columns):
            shown.add_column(column, justify="right" if number else "left", overflow="fold")
        for row in table.rows:
            shown.add_row(*row, style="bold" if row[0].startswith("Tidegate") else None)
        self._console.print(shown)

    def _goals(self, sections: Sequence[Section]) -> Table:
        rows = [
            (goal.what, goal.measured, goal.goal, "yes" if goal.met else "NO")
            for section in sections
            for goal in section.goals
        ]
        return Table("The goals", ("what", "this run", "goal", "met"), rows)

    def _markdown(self, sections: Sequence[Section]) -> str:
        facts = [f"| {name} | {value} |" for name, value in self._machine + machine.versions()]
        parts = [
            "# Benchmarks",
            _PREAMBLE,
            "![The figures of this page as bars](benchmarks.png)",
            _markdown_table(self._goals(sections)),
            "\n".join(["## The run", "", "| | |", "|---|---|", *facts]),
            *(_markdown_section(section) for section in sections),
        ]
        return "\n\n".join(parts) + "\n"


def _markdown_section(section: Section) -> str:
    parts = [f"## {section.title}", section.how, *(_markdown_table(table) for table in section.tables)]
    if section.notes:
        parts.append("\n".join(f"- {note}" for note in section.notes))
    return "\n\n".join(parts)


def _markdown_table(table: Table) -> str:
    head = f"**{table.title}**\n\n| {' | '.join(table.columns)} |\n|---|{'---:|' * (len(table.columns) - 1)}"
    rows = (" | ".join(_emphasised(row)) for row in table.rows)
    return "\n".join([head, *(f"| {row} |" for row in rows)])


def _emphasised(row: Sequence[str]) -> list[str]:
    cells = [cell.replace("|", "\\|") for cell in row]
    return [f"**{cell}**" if cell and row[0].startswith("Tidegate") else cell for cell in cells]


def microseconds_row(name: str, us: float, unit_us: float) -> tuple[str, ...]:
    """A row of what something costs: in µs, and in units of this machine's speed."""
    return (name, f"{us:.1f}", f"{us / unit_us:.2f}")
