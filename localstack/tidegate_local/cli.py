"""The `tidegate` command: a local cloud with the API on it."""

import os
import sys
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from tidegate_local import dev as dev_server
from tidegate_local import down as stopping
from tidegate_local import logs as function_logs
from tidegate_local import migrate as migrations
from tidegate_local import redis_server, releasing, toolchain
from tidegate_local import release as release_control
from tidegate_local import status as inspection
from tidegate_local.clear_errors import clear_errors
from tidegate_local.doctor import account
from tidegate_local.doctor import command as doctor_command
from tidegate_local.engines.engine import OwnEngine
from tidegate_local.errors import ReleaseError
from tidegate_local.layout import StateFolder
from tidegate_local.new import command as new_command
from tidegate_local.progress import Steps
from tidegate_local.release import Place
from tidegate_local.scenarios import command as scenarios
from tidegate_local.state import LocalState
from tidegate_local.up import bring_up

app = typer.Typer(
    help="A local cloud with the API on it: API Gateway, Lambda, DynamoDB and Redis, with or without Docker.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.command()
def up(
    engine: Annotated[
        OwnEngine | None,
        typer.Option(help="MiniStack, LocalStack without Docker or with it; default: the one that is up, or embedded."),
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="A LocalStack-compatible endpoint that runs already, to deploy to.")
    ] = None,
) -> None:
    """Start what isn't running, deploy what changed, and return when the API answers."""
    console = Console()
    with clear_errors():
        steps = Steps(console)
        state = bring_up(StateFolder.from_environ(), engine=engine, endpoint=endpoint or None, steps=steps)
        console.print(f"Up after {sum(steps.seconds.values()):.1f} s.\n", highlight=False)
        _show_access(console, state)


@app.command()
def down() -> None:
    """Stop what `up` started; logs, tools and built assets stay."""
    with clear_errors():
        stopped = stopping.take_down(StateFolder.from_environ())
    Console().print(f"Stopped: {', '.join(stopped)}." if stopped else "Nothing was running.")


@app.command()
def status() -> None:
    """Show what runs and what the stack is; exit status 1 unless all is well."""
    # In a pipe rich takes 80 columns for granted and would break every URL.
    folder, console = StateFolder.from_environ(), Console(width=None if sys.stdout.isatty() else 200)
    with clear_errors():
        state = LocalState.require(folder.state_file)
        parts = inspection.inspect(folder, state)
    table = Table("part", "state", Column("where", overflow="fold"))
    for part in parts:
        table.add_row(part.name, part.state if part.well else f"[red]{part.state}[/red]", part.where)
    console.print(table)
    outputs = Table("output", Column("value", overflow="fold"))
    for name, value in sorted(state.outputs.items()):
        outputs.add_row(name, value)
    console.print(outputs)
    if not all(part.well for part in parts):
        raise typer.Exit(1)


@app.command()
def logs(
    *,
    follow: Annotated[bool, typer.Option(help="Keep printing lines as they come.")] = True,
    since: Annotated[float, typer.Option(help="Begin this many seconds ago.")] = 600,
    platform: Annotated[bool, typer.Option(help="Lambda's START, END and REPORT lines, too.")] = False,
) -> None:
    """Print what the functions log: one JSON object a line."""
    with clear_errors(), suppress(KeyboardInterrupt):  # Ctrl-C is how one stops following
        state = LocalState.require(StateFolder.from_environ().state_file)
        for line in function_logs.read(state, since_s=since, follow=follow, platform=platform):
            print(line, flush=True)  # noqa: T201 - raw lines for jq, not rich's wrapped ones


@app.command()
def dev(
    port: Annotated[int | None, typer.Option(help="Default: 8000, or the next free port.")] = None,
) -> None:
    """Serve the app under uvicorn with reload, against the Redis and the engine that are up."""
    with clear_errors():
        dev_server.serve(LocalState.require(StateFolder.from_environ().state_file), port)


@app.command()
def migrate(
    *,
    status: Annotated[bool, typer.Option("--status", help="Only list the migrations and how far they are.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would run, on how many items.")] = False,
    contract: Annotated[bool, typer.Option("--contract", help="Take old forms away, after their bake time.")] = False,
    down: Annotated[str | None, typer.Option(help="Take back what a release expanded, by its name.")] = None,
) -> None:
    """Expand the tables as a release does; exit status 1 if a migration fails."""
    with clear_errors():
        state = LocalState.require(StateFolder.from_environ().state_file)
        action: migrations.Action = "down" if down else "contract" if contract else "expand"
        for answer in migrations.run(state, "status" if status else action, release=down, dry_run=dry_run):
            for line in migrations.lines(answer):
                Console().print(line, soft_wrap=True, highlight=False, markup=False)


@app.command()
def tools() -> None:
    """Install the tools that tests and deploys need; prints the path of a Redis server."""
    with clear_errors():
        toolchain.ensure()
        print(redis_server.find_binary())  # noqa: T201 - the Makefile reads it


@app.command()
def release(
    *,
    strategy: Annotated[
        str | None, typer.Option(help="canary, linear, all-at-once, or weights such as 1,10,50.")
    ] = None,
    step_s: Annotated[int | None, typer.Option(help="How long a step may last without proof, in seconds.")] = None,
    stage: Annotated[str, typer.Option(help="local, or a stage on AWS (by your own credentials).")] = "local",
    abort: Annotated[bool, typer.Option("--abort", help="Roll the release that runs back.")] = False,
    go_on: Annotated[bool, typer.Option("--go-on", help="Take the next step of a release that holds.")] = False,
) -> None:
    """Deploy what changed as a release, and show its steps, weights, rates and latencies; exit status 1 if it fails."""
    console = Console()
    with clear_errors():
        if abort or go_on:
            with _place(stage) as place:
                if not place.releases().demand("abort" if abort else "go_on"):
                    raise ReleaseError("No release is under way. `tidegate release` begins one.")
            console.print("The release rolls back." if abort else "The release goes on.")
            return
        way = {"strategy": strategy, "step_s": str(step_s) if step_s else None}
        releasing.run(stage, {name: value for name, value in way.items() if value}, console)


@app.command()
def rollback(
    version: Annotated[str | None, typer.Argument(help="The API's version; default: the one before.")] = None,
    stage: Annotated[str, typer.Option(help="local, or a stage on AWS (by your own credentials).")] = "local",
) -> None:
    """Give a version that was kept all of the traffic, at once; the next deploy releases from there."""
    with clear_errors(), _place(stage) as place:
        for name, number in release_control.roll_back(place, version).items():
            Console().print(f"{name}: version {number} is in force.", highlight=False)


@app.command("console")
def serve_console(
    port: Annotated[int | None, typer.Option(help="Default: 4600, or the next free port.")] = None,
) -> None:
    """Serve a page that shows the cloud at work, with buttons that break it; on this machine only."""
    with clear_errors(), suppress(KeyboardInterrupt):  # Ctrl-C is how one ends it
        # FastAPI takes as long to import as the other commands take.
        from tidegate_local.console import command as page  # noqa: PLC0415 - see the comment above

        page.run(StateFolder.from_environ(), port, Console())


@app.command()
def scenario(
    names: Annotated[list[str], typer.Argument(help="redis-down, storm or release; several are played in turn.")],
    docs: Annotated[
        Path | None, typer.Option(help="The documentation's folder, for the report as Markdown, too.")
    ] = None,
) -> None:
    """Break something under traffic, show it live, write a report; exit status 1 if a promise did not hold."""
    with clear_errors():
        if not scenarios.run(names, docs, Console()):
            raise typer.Exit(1)


app.command()(doctor_command.doctor)
app.command()(new_command.new)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def cdk(context: typer.Context) -> None:
    """Run the pinned CDK CLI with your own environment: `tidegate cdk synth -c stage=aws`."""
    with clear_errors():
        unmeant = account.unmeant_account(context.args, os.environ)
        if unmeant:
            Console(stderr=True).print(f"[yellow]warning:[/yellow] {escape(unmeant)}", soft_wrap=True, highlight=False)
        raise typer.Exit(toolchain.ensure().run_cdk(context.args))


def _place(stage: str) -> AbstractContextManager[Place]:
    if stage == "local":
        return release_control.local_place(LocalState.require(StateFolder.from_environ().state_file))
    return release_control.aws_place(stage)


def _show_access(console: Console, state: LocalState) -> None:
    url, keys = state.api_url, state.api_keys
    console.print(f"[bold]{url}[/bold]", soft_wrap=True, highlight=False)
    for tier, key in keys.items():
        console.print(f"  {tier:<9} {key}", soft_wrap=True, highlight=False)
    order = '{"items": [{"product_id": "tea-assam", "quantity": 1}]}'
    console.print("\nTry:", highlight=False)
    listing = f"curl -i -H 'x-api-key: {keys['pro']}' {url}/v1/products"
    ordering = (
        f"curl -i -H 'x-api-key: {keys['pro']}' -H 'Idempotency-Key: order-1' "
        f"-H 'Content-Type: application/json' -d '{order}' {url}/v1/orders"
    )
    for line in (listing, ordering, f"curl -i {url}/health"):
        console.print(f"  {line}", soft_wrap=True, highlight=False, markup=False)
