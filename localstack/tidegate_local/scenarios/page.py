"""A report as a page: HTML that needs no other file and no script, and Markdown for the documentation."""

import base64
from collections.abc import Sequence
from pathlib import Path

from tidegate_local.pages.page import render
from tidegate_local.scenarios import text
from tidegate_local.scenarios.report import Report


def as_html(report: Report, picture: Path | None) -> str:
    """Write the report as one page, with the picture inside."""
    return render(
        "scenarios/report.html",
        title=report.question,
        heading=report.question,
        outcome="held" if report.held else "did not hold",
        well=report.held,
        report=report,
        text=text,
        picture=base64.b64encode(picture.read_bytes()).decode() if picture else None,
    )


def as_markdown(report: Report, picture: str | None) -> str:
    """Write the report as Markdown; `picture` is the name of a file beside it."""
    promises = [(promise.what, "yes" if promise.held else "**no**", promise.seen) for promise in report.promises]
    parts = [
        f"# {report.question}",
        f"Written by `{report.command} --docs docs`. {text.verdict(report)}.",
        _grid(("promise", "held", "seen"), promises),
        f"![What clients saw]({picture})" if picture else "",
        _grid(("at", "what was done"), text.deed_rows(report)),
        _grid(text.PHASE_COLUMNS, text.phase_rows(report)),
        _grid(text.FLOW_COLUMNS, text.flow_rows(report)),
        text.about(report),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _grid(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
