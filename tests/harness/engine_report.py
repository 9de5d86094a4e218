"""What passed on which engine: a pytest plugin that writes an engine's table into docs/engines.md.

pytest -p tests.harness.engine_report -m e2e
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import pytest

from tests.harness.engine_choice import ENGINE
from tidegate_local.engines import gaps

DOCUMENT = Path(__file__).parents[2] / "docs" / "engines.md"
# A test's property that tells the engine's title: it is known only where its cloud is.
PROPERTY = "engine"
OUTCOMES = ("passed", "skipped", "failed")


@dataclass
class Results:
    """What came of the tests so far: outcomes by file, and why which were skipped."""

    title: str = "?"
    files: dict[str, Counter[str]] = field(default_factory=dict)
    skipped: dict[str, list[str]] = field(default_factory=dict)

    def note(self, report: pytest.TestReport) -> None:
        """Count a test by its call, or by what kept it from being called."""
        self.title = dict(report.user_properties).get(PROPERTY, self.title)
        if report.when != "call" and report.outcome == "passed":
            return
        file, _, test = report.nodeid.partition("::")
        self.files.setdefault(file, Counter())[report.outcome] += 1
        if report.skipped and isinstance(report.longrepr, tuple):
            reason = report.longrepr[2].removeprefix("Skipped: ")
            self.skipped.setdefault(reason, []).append(f"`{Path(file).name}::{test}`")

    def section(self, day: str) -> str:
        """Draw the table."""
        lines = [
            f"{self.title}, {day}:",
            "",
            "| tests | " + " | ".join(OUTCOMES) + " |",
            "|---|" + "---:|" * len(OUTCOMES),
            *(_row(f"`{file}`", self.files[file]) for file in sorted(self.files)),
            _row("all", sum(self.files.values(), Counter())),
        ]
        reasons = [f"- Skipped: {', '.join(tests)}. {reason}" for reason, tests in sorted(self.skipped.items())]
        return "\n".join([*lines, *(["", *reasons] if reasons else [])])


def _row(name: str, counts: Mapping[str, int]) -> str:
    return f"| {name} | " + " | ".join(str(counts[outcome]) for outcome in OUTCOMES) + " |"


def gaps_table() -> str:
    """Draw what the engines can't do, each thing once."""
    engines = {gap: [name for name, found in gaps.GAPS.items() if gap in found] for gap in chain(*gaps.GAPS.values())}
    rows = [f"| {gap.what} | {', '.join(names)} | {gap.instead} |" for gap, names in engines.items()]
    return "\n".join(["| what | on | instead |", "|---|---|---|", *rows])


def written_into(document: str, mark: str, section: str) -> str:
    """Put a section between its markers, in place of what is there.

    Raises:
        ValueError: the document has no such markers.
    """
    begin, end = f"<!-- {mark}: begin -->", f"<!-- {mark}: end -->"
    before, found, rest = document.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"{DOCUMENT.name} lacks the lines {begin} and {end}: write them where the table belongs.")
    return f"{before}{begin}\n\n{section}\n\n{end}{after}"


_results = Results()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _results.note(report)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if hasattr(config, "workerinput") or not _results.files:
        return
    section = _results.section(datetime.now(UTC).date().isoformat())
    terminalreporter.section(f"tests on {ENGINE}")
    terminalreporter.write_line(section)
    document = written_into(DOCUMENT.read_text(encoding="utf-8"), f"tests on {ENGINE}", section)
    DOCUMENT.write_text(written_into(document, "gaps", gaps_table()), encoding="utf-8")
