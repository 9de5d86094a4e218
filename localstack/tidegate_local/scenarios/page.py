"""A report as a page: HTML that needs no other file and no script, and Markdown for the documentation."""

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

from tidegate_local.scenarios import text
from tidegate_local.scenarios.report import Promise, Report

_STYLE = """
:root{color-scheme:light dark;--well:#0b7a75;--ill:#a4133c;--grid:#8884}
body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem}
h1 span{padding:.1em .5em;border-radius:.3em;color:#fff}.held{background:var(--well)}.broken{background:var(--ill)}
li.held{color:var(--well);background:none}li.broken{color:var(--ill);background:none}li span{color:CanvasText}
table{border-collapse:collapse;width:100%;font-size:13px}th,td{padding:.2em .6em;text-align:left;vertical-align:top}
tr{border-bottom:1px solid var(--grid)}img{width:100%;background:#fff}
"""


def as_html(report: Report, picture: Path | None) -> str:
    """Write the report as one page, with the picture inside."""
    body = "".join(
        [
            f"<h1>{escape(report.question)} {_badge(report)}</h1>",
            f"<p><code>{escape(report.command)}</code>: {escape(text.verdict(report))}.</p>",
            f"<ul>{''.join(map(_promise, report.promises))}</ul>",
            _picture(picture),
            "<h2>What was done</h2>",
            _table(("at", "what"), text.deed_rows(report)),
            "<h2>What clients saw</h2>",
            _table(text.PHASE_COLUMNS, text.phase_rows(report)),
            _table(text.FLOW_COLUMNS, text.flow_rows(report)),
            f"<p>{escape(text.about(report))}</p>",
        ]
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(report.question)}</title><style>{_STYLE}</style></head><body>{body}</body></html>\n"
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


def _badge(report: Report) -> str:
    return f'<span class="{_class(held=report.held)}">{"held" if report.held else "did not hold"}</span>'


def _class(*, held: bool) -> str:
    return "held" if held else "broken"


def _promise(promise: Promise) -> str:
    mark = "✓" if promise.held else "✗"
    told = f"{escape(promise.what)}: {escape(promise.seen)}"
    return f'<li class="{_class(held=promise.held)}">{mark} <span>{told}</span></li>'


def _picture(picture: Path | None) -> str:
    if picture is None:
        return ""
    inline = base64.b64encode(picture.read_bytes()).decode()
    return f'<img alt="Answers a second by who gave them, and their latency" src="data:image/png;base64,{inline}">'


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _grid(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
