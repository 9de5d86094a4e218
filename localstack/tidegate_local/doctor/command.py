"""The `tidegate doctor` command."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from tidegate_local.clear_errors import clear_errors
from tidegate_local.doctor import account, machine, running, tools
from tidegate_local.doctor.finding import Finding
from tidegate_local.engines.gaps import Gap
from tidegate_local.layout import StateFolder

_MARKS = {"ok": "[green]ok[/green]", "warning": "[yellow]warning[/yellow]", "failure": "[red]failure[/red]"}


def doctor(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False) -> None:
    """Look at everything that a local cloud and a deploy need, and say what to do; exit status 1 on a failure."""
    with clear_errors():
        folder = StateFolder.from_environ()
        state, unreadable = running.state_of(folder)
        found = [
            *tools.findings(),
            *machine.findings(folder),
            *([unreadable] if unreadable else []),
            *running.findings(folder, state),
            *account.findings(state),
        ]
        engine, gaps = running.engine_gaps(state)
        if as_json:
            print(_json(found, engine, gaps))  # noqa: T201  for machines: not rich's wrapped lines
        else:
            _show(Console(), found, engine, gaps)
        if any(finding.grade == "failure" for finding in found):
            raise typer.Exit(1)


def _json(found: Sequence[Finding], engine: str, gaps: Sequence[Gap]) -> str:
    told = {"findings": [asdict(one) for one in found], "engine": engine, "gaps": [asdict(gap) for gap in gaps]}
    return json.dumps(told, indent=2)


def _show(console: Console, found: Sequence[Finding], engine: str, gaps: Sequence[Gap]) -> None:
    table = Table("", "what", Column("found, and what to do", overflow="fold"))
    for one in found:
        table.add_row(
            _MARKS[one.grade], one.subject, f"{one.found}\n[bold]{one.mend}[/bold]" if one.mend else one.found
        )
    console.print(table)
    differing = Table("not as on AWS", Column("what", overflow="fold"), Column("instead", overflow="fold"))
    for gap in gaps:
        differing.add_row(gap.name, gap.what, gap.instead)
    console.print(f"\nThe engine {engine}:", highlight=False)
    console.print(differing)
