"""The `tidegate doctor` command."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from tidegate_local import toolchain
from tidegate_local.cli.clear_errors import json_errors
from tidegate_local.deployment import aws_deploy
from tidegate_local.doctor import account, machine, running, tools
from tidegate_local.doctor.finding import Finding
from tidegate_local.engines.gaps import Gap
from tidegate_local.layout import StateFolder
from tidegate_local.releases.stage_names import context_in, context_of

_MARKS = {"ok": "[green]ok[/green]", "warning": "[yellow]warning[/yellow]", "failure": "[red]failure[/red]"}


def doctor(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    stage: Annotated[
        str, typer.Option(help="aws, or aws-staging: the account that a deploy of it would go to.")
    ] = "local",
    context: Annotated[
        list[str] | None, typer.Option("-c", "--context", help="With --stage aws: as for `tidegate cdk`. Repeatable.")
    ] = None,
) -> None:
    """Look at everything that a local cloud and a deploy need, and say what to do; exit status 1 on a failure."""
    with json_errors(wanted=as_json):
        _look(stage, context or (), as_json=as_json)


def _look(stage: str, context: Sequence[str], *, as_json: bool) -> None:
    if stage != "local":
        given = context_in([word for one in context for word in ("-c", one)])
        _end(_of_account({**context_of(stage), **given}), as_json=as_json)
        return
    if context:
        raise typer.BadParameter("-c is for --stage aws")
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
    _exit(found)


def _of_account(context: Mapping[str, str]) -> list[Finding]:
    """Judge the tools of a deploy, and the account that it would go to, before anything is changed there."""
    return [*tools.findings(), *aws_deploy.look(toolchain.ensure(), context)]


def _end(found: Sequence[Finding], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"findings": [asdict(one) for one in found]}, indent=2))  # noqa: T201  for machines
    else:
        Console().print(_table(found))
    _exit(found)


def _exit(found: Sequence[Finding]) -> None:
    if any(finding.grade == "failure" for finding in found):
        raise typer.Exit(1)


def _json(found: Sequence[Finding], engine: str, gaps: Sequence[Gap]) -> str:
    told = {"findings": [asdict(one) for one in found], "engine": engine, "gaps": [asdict(gap) for gap in gaps]}
    return json.dumps(told, indent=2)


def _show(console: Console, found: Sequence[Finding], engine: str, gaps: Sequence[Gap]) -> None:
    console.print(_table(found))
    differing = Table("not as on AWS", Column("what", overflow="fold"), Column("instead", overflow="fold"))
    for gap in gaps:
        differing.add_row(gap.name, gap.what, gap.instead)
    console.print(f"\nThe engine {engine}:", highlight=False)
    console.print(differing)


def _table(found: Sequence[Finding]) -> Table:
    table = Table("", "what", Column("found, and what to do", overflow="fold"))
    for one in found:
        told = escape(one.found)
        table.add_row(_MARKS[one.grade], one.subject, f"{told}\n[bold]{escape(one.mend)}[/bold]" if one.mend else told)
    return table
