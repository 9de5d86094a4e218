"""The scoreboard as one HTML page without anything from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from tests.scoreboard.cell import Cell, Situation, Verdict
from tests.scoreboard.contender import Contender
from tests.scoreboard.running import Outcomes, Position
from tests.scoreboard.situations import Table

_LINK = re.compile(r"https://[^\s()]+[^\s().,;]")
_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 90rem; padding: 0 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { border: 1px solid #8886; padding: .35rem .55rem; text-align: left; vertical-align: top; min-width: 6rem; }
td small { display: block; opacity: .85; }
.held { background: #2a9d4a33; } .failed { background: #d6303033; } .not-offered, .not-run { background: #8882; }
"""
_MARKS = {Verdict.HELD: "✓ ", Verdict.FAILED: "✗ ", Verdict.NOT_OFFERED: "∅ ", Verdict.NOT_RUN: "? "}


def rendered(title: str, paragraphs: Sequence[str], outcomes: Outcomes, facts: Sequence[tuple[str, str]]) -> str:
    """The whole page."""
    shown = dict.fromkeys(position.table for position in outcomes)
    parts = [
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{escape(title)}</title>',
        f"<style>{_STYLE}</style>\n<h1>{escape(title)}</h1>",
        *(f"<p>{escape(text)}</p>" for text in paragraphs),
        *(_table(table, outcomes) for table in shown),
        "<h2>The run</h2>\n<table>",
        *(f"<tr><th>{escape(name)}</th><td>{escape(value.replace('`', ''))}</td></tr>" for name, value in facts),
        "</table>\n</html>\n",
    ]
    return "\n".join(parts)


def _table(table: Table, outcomes: Outcomes) -> str:
    rows = dict.fromkeys(position.contender for position in outcomes if position.table == table)
    asked = [one for one in table.situations if any(one == position.situation for position in outcomes)]
    heads = "".join(f"<th>{escape(one.name)}</th>" for one in asked)
    lines = [f'<h2>{escape(table.title)}</h2>\n<div class="wide"><table>\n<tr><th></th>{heads}</tr>']
    for row in rows:
        cells = "".join(_cell(outcomes[Position(table, row, one)]) for one in asked)
        lines.append(f"<tr><th>{_name(row)}</th>{cells}</tr>")
    return "\n".join([*lines, "</table></div>\n<ul>", *map(_expectation, asked), "</ul>"])


def _name(row: Contender) -> str:
    if not row.documentation.startswith("https://"):
        return escape(row.name)
    return f'<a href="{escape(row.documentation)}">{escape(row.name)}</a>'


def _cell(cell: Cell) -> str:
    seen = escape(cell.seen)
    if cell.verdict is Verdict.MEASURED:
        return f"<td>{seen}</td>"
    kind = cell.verdict.value.replace(" ", "-")
    return f'<td class="{kind}">{_MARKS[cell.verdict]}{cell.verdict.value}<small>{seen}</small></td>'


def _expectation(situation: Situation) -> str:
    source = _LINK.sub(r'<a href="\g<0>">\g<0></a>', escape(situation.source))
    return f"<li><em>{escape(situation.name)}</em>: {escape(situation.expected)} Source: {source}.</li>"
