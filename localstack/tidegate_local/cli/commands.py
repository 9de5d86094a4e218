"""The `tidegate` command: a local cloud with the API on it."""

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from typer.core import TyperGroup

from tidegate_local import dev as dev_server
from tidegate_local import toolchain
from tidegate_local.cli import faults, shown
from tidegate_local.cli import layer as layer_command
from tidegate_local.cli.clear_errors import clear_errors, json_errors
from tidegate_local.cli.versions import print_versions
from tidegate_local.deployment import aws_deploy
from tidegate_local.doctor import account
from tidegate_local.doctor import command as doctor_command
from tidegate_local.engines.engine import OwnEngine
from tidegate_local.errors import ReleaseError
from tidegate_local.layout import StateFolder, project_folder
from tidegate_local.library_release.release import release as make_release
from tidegate_local.lifecycle import down as stopping
from tidegate_local.lifecycle import status as inspection
from tidegate_local.lifecycle.up import bring_up
from tidegate_local.new import command as new_command
from tidegate_local.progress import Steps
from tidegate_local.project_facts import ProjectFacts
from tidegate_local.prove import command as prove_command
from tidegate_local.redis import server as redis_server
from tidegate_local.releases import command as release_command
from tidegate_local.releases import migrate as migrations
from tidegate_local.releases import place_status
from tidegate_local.releases import rollback as rollback_control
from tidegate_local.scenarios import command as scenarios
from tidegate_local.state import LocalState
from tidegate_local.telemetry import logs as function_logs

STRATEGIES = "canary, linear, all-at-once"
_STRATEGY = re.compile("|".join((*STRATEGIES.split(", "), r"\d+(\.\d+)?(,\d+(\.\d+)?)*")))
_STAGE = "local; aws, or one of its environments such as aws-staging (by your own credentials)."


class _Commands(TyperGroup):
    """All commands: whatever stops one of them is told in one sentence."""

    def invoke(self, ctx: Any) -> Any:
        with clear_errors():
            return super().invoke(ctx)


# The groups of commands, as the help shows them.
_CLOUD, _RELEASES, _PROJECT = "Local cloud", "Releases", "Project and library"

app = typer.Typer(
    cls=_Commands,
    help="A local cloud with the API on it: API Gateway, Lambda, DynamoDB and Redis, with or without Docker.",
    epilog="`tidegate COMMAND --help` shows a command's options and an example.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def options(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=print_versions, is_eager=True, help="Print the versions of the packages."),
    ] = False,
) -> None:
    """Take the options that stand before a command."""


@app.command(rich_help_panel=_CLOUD, epilog="Example: tidegate up --engine localstack-host")
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
    steps = Steps(console)
    state = bring_up(StateFolder.from_environ(), engine=engine, endpoint=endpoint or None, steps=steps)
    console.print(f"Up after {sum(steps.seconds.values()):.1f} s.\n", highlight=False)
    shown.show_access(console, state, ProjectFacts.read().tries)


@app.command(rich_help_panel=_CLOUD)
def down() -> None:
    """Stop what `up` started; logs, tools and built assets stay."""
    stopped = stopping.take_down(StateFolder.from_environ())
    Console().print(f"Stopped: {', '.join(stopped)}." if stopped else "Nothing was running.")


@app.command(rich_help_panel=_CLOUD, epilog="Example: tidegate status --json | jq -r .outputs.ApiUrl")
def status(
    *,
    stage: Annotated[str, typer.Option(help=_STAGE)] = "local",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Show what runs, the stack, its release and its aliases; exit status 1 unless all is well."""
    with json_errors(wanted=as_json):
        folder = StateFolder.from_environ()
        if stage == "local":
            state = LocalState.require(folder.state_file)
            parts, told = inspection.inspect(folder, state), state.outputs
        else:
            with release_command.place_of(stage) as place:
                parts, told = tuple(place_status.parts_of(place)), place.outputs
    if as_json:
        print(json.dumps({"parts": [asdict(part) for part in parts], "outputs": dict(told)}, indent=2))  # noqa: T201  for machines
    else:
        shown.show_parts(parts, told)
    if not all(part.well for part in parts):
        raise typer.Exit(1)


@app.command(rich_help_panel=_CLOUD, epilog="Example: tidegate logs --no-follow --since 60 | jq .message")
def logs(
    *,
    follow: Annotated[bool, typer.Option(help="Keep printing lines as they come.")] = True,
    since: Annotated[float, typer.Option(help="Begin this many seconds ago.")] = 600,
    platform: Annotated[bool, typer.Option(help="Lambda's START, END and REPORT lines, too.")] = False,
) -> None:
    """Print what the functions log: one JSON object a line."""
    with suppress(KeyboardInterrupt):  # Ctrl-C is how one stops following
        state = LocalState.require(StateFolder.from_environ().state_file)
        for line in function_logs.read(state, since_s=since, follow=follow, platform=platform):
            print(line, flush=True)  # noqa: T201 - raw lines for jq, not rich's wrapped ones


@app.command(rich_help_panel=_CLOUD, epilog="Example: tidegate dev --edge")
def dev(
    *,
    port: Annotated[int | None, typer.Option(help="Default: 8000, or the next free port.")] = None,
    edge: Annotated[
        bool, typer.Option("--edge", help="Ask for API keys, throttle and refuse as the deployed API Gateway does.")
    ] = False,
) -> None:
    """Serve the app under uvicorn with reload, against the Redis and the engine that are up."""
    dev_server.serve(StateFolder.from_environ(), port, edge=edge)


@app.command(rich_help_panel=_CLOUD, epilog="Example: tidegate watch")
def watch() -> None:
    """Swap saved code into the functions that are up, without a deploy, until Ctrl-C; a release deploys it."""
    with suppress(KeyboardInterrupt):  # Ctrl-C is how one ends it
        # Its library of file events is a binary that no other command loads.
        from tidegate_local.hot.watching import Follower  # noqa: PLC0415 - see the comment above

        Follower(StateFolder.from_environ(), Console(), faults.sentence).follow()


@app.command(rich_help_panel=_RELEASES, epilog="Example: tidegate migrate --dry-run")
def migrate(
    *,
    status: Annotated[bool, typer.Option("--status", help="Only list the migrations and how far they are.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would run, on how many items.")] = False,
    contract: Annotated[bool, typer.Option("--contract", help="Take old forms away, after their bake time.")] = False,
    down: Annotated[str | None, typer.Option(help="Take back what a release expanded, by its name.")] = None,
) -> None:
    """Expand the tables as a release does; exit status 1 if a migration fails, 2 if there is nothing to take back."""
    action = migrations.chosen(status=status, dry_run=dry_run, contract=contract, down=down)
    state = LocalState.require(StateFolder.from_environ().state_file)
    answers = migrations.run(state, action, release=down, dry_run=dry_run)
    for answer in migrations.effective(answers, down) if down else answers:
        for line in migrations.lines(answer):
            Console().print(line, soft_wrap=True, highlight=False, markup=False)


@app.command(rich_help_panel=_PROJECT)
def tools() -> None:
    """Install the tools that tests and deploys need; prints the path of a Redis server."""
    toolchain.ensure()
    print(redis_server.find_binary())  # noqa: T201 - the Makefile reads it


@app.command(rich_help_panel=_RELEASES, epilog="Example: tidegate release --strategy 5,25 --step-s 60")
def release(  # noqa: PLR0913 - each is an option of the command
    *,
    strategy: Annotated[str | None, typer.Option(help=f"{STRATEGIES}, or weights such as 1,10,50.")] = None,
    step_s: Annotated[int | None, typer.Option(help="How long a step may last without proof, in seconds.")] = None,
    stage: Annotated[str, typer.Option(help=_STAGE)] = "local",
    into_incident: Annotated[
        str | None,
        typer.Option(help="Release though the version in force is ill, for this reason; judged all the same."),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Deploy nothing: show the release that runs.")] = False,
    abort: Annotated[bool, typer.Option("--abort", help="Roll the release that runs back.")] = False,
    go_on: Annotated[bool, typer.Option("--go-on", help="Take the next step of a release that holds.")] = False,
    recover: Annotated[
        bool, typer.Option("--recover", help="Deploy nothing: bring what a dead deploy left half-way to rest.")
    ] = False,
    skip: Annotated[
        list[str] | None,
        typer.Option(help="With --recover: a resource (logical id) to leave as it is. Repeatable."),
    ] = None,
) -> None:
    """Deploy what changed as a release, and show its steps, weights, rates and latencies; exit status 1 if it fails."""
    console = Console()
    _one_of({"--watch": watch, "--abort": abort, "--go-on": go_on, "--recover": recover})
    if skip and not recover:
        raise typer.BadParameter("--skip is for --recover")
    if abort or go_on:
        with release_command.place_of(stage) as place:
            if not place.releases().demand("abort" if abort else "go_on"):
                raise ReleaseError("No release is under way. `tidegate release` begins one.")
        console.print("The release rolls back." if abort else "The release goes on.")
    elif watch:
        with release_command.place_of(stage) as place:
            release_command.watch(place, StateFolder.from_environ(), console)
    elif recover:
        with release_command.place_of(stage) as place:
            release_command.recover(place, skip or (), console)
    else:
        release_command.run(stage, _way(strategy, step_s, into_incident), console, bring_up)


@app.command(rich_help_panel=_RELEASES, epilog="Example: tidegate rollback 7 --stage aws")
def rollback(
    version: Annotated[
        str | None, typer.Argument(help="The API's version, a number that served before; default: the one before.")
    ] = None,
    stage: Annotated[str, typer.Option(help=_STAGE)] = "local",
) -> None:
    """Put a version that served before in force, at once, with all that served beside it."""
    with release_command.place_of(stage) as place:
        back, console = rollback_control.roll_back(place, version), Console()
        for name, number in back.versions.items():
            console.print(f"{name}: version {number} is in force.", highlight=False)
        for name in back.made:
            console.print(
                f"The alias of {name} was missing and is made again. What it let API Gateway do went with it: see "
                "docs/releases.md.",
                soft_wrap=True,
                highlight=False,
            )


@app.command("console", rich_help_panel=_CLOUD, epilog="Example: tidegate console --port 4700")
def serve_console(
    port: Annotated[int | None, typer.Option(help="Default: 4600, or the next free port.")] = None,
) -> None:
    """Serve a page that shows the cloud at work, with buttons that break it; on this machine only."""
    with suppress(KeyboardInterrupt):  # Ctrl-C is how one ends it
        # FastAPI takes as long to import as the other commands take.
        from tidegate_local.console import command as page  # noqa: PLC0415 - see the comment above

        page.run(StateFolder.from_environ(), port, Console())


@app.command(rich_help_panel=_CLOUD, epilog="Example: tidegate scenario redis-down storm")
def scenario(
    names: Annotated[list[str], typer.Argument(help="redis-down, storm or release; several are played in turn.")],
    docs: Annotated[
        Path | None, typer.Option(help="The documentation's folder, for the report as Markdown, too.")
    ] = None,
) -> None:
    """Break something under traffic, show it live, write a report; exit status 1 if a promise did not hold."""
    if not scenarios.run(names, docs, Console()):
        raise typer.Exit(1)


app.command(rich_help_panel=_CLOUD, epilog="Example: tidegate doctor --stage aws --json")(doctor_command.doctor)
app.command(rich_help_panel=_PROJECT, epilog="Example: tidegate new bookstore")(new_command.new)
app.command(rich_help_panel=_PROJECT, epilog="Example: tidegate upgrade ../dist")(new_command.upgrade)
app.command(rich_help_panel=_PROJECT, epilog="Example: tidegate wheels --out dist")(new_command.wheels)
app.command(rich_help_panel=_RELEASES, epilog="Example: tidegate prove-aws --dry-run")(prove_command.prove_aws)
app.add_typer(layer_command.app, name="layer", rich_help_panel=_PROJECT)


@app.command(rich_help_panel=_PROJECT, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def cdk(context: typer.Context) -> None:
    """Run the pinned CDK CLI with your own environment: `tidegate cdk synth -c stage=aws`."""
    unmeant = account.unmeant_account(context.args, os.environ)
    if unmeant:
        Console(stderr=True).print(f"[yellow]warning:[/yellow] {escape(unmeant)}", soft_wrap=True, highlight=False)
    tools = toolchain.ensure()
    if aws_deploy.is_of_aws(context.args):
        raise typer.Exit(aws_deploy.deploy(tools, context.args, Console(stderr=True)))
    raise typer.Exit(tools.run_cdk(context.args))


def _one_of(flags: Mapping[str, bool]) -> None:
    given = [flag for flag, wanted in flags.items() if wanted]
    if len(given) > 1:
        raise typer.BadParameter(f"{' and '.join(given)} exclude each other: give one of them")


@app.command("release-library", rich_help_panel=_PROJECT, epilog="Example: tidegate release-library 0.2.0 --dry-run")
def release_library(
    version: Annotated[str, typer.Argument(help="The new version, such as 0.2.0.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Make and check all; commit and tag nothing.")] = False,  # noqa: FBT002  an option
) -> None:
    """Make a release of the library: changelog, packages, SBOM, checks, tag; nothing is uploaded."""
    make_release(project_folder(), version, [str(toolchain.find_uv())], Console(soft_wrap=True).print, dry_run=dry_run)


def _way(strategy: str | None, step_s: int | None, into_incident: str | None) -> dict[str, str]:
    """Return how a release goes, as CDK's context, without what the stage is to decide."""
    # One line: it is recorded with the release, and CDK takes it as one word.
    reason = None if into_incident is None else " ".join(into_incident.split())
    if reason == "":
        raise typer.BadParameter("--into-incident needs a reason: why release though the version in force is ill?")
    if strategy is not None and not (_STRATEGY.fullmatch(strategy) and _rises(strategy)):
        raise typer.BadParameter(f"--strategy is {strategy!r}: it takes {STRATEGIES}, or weights such as 1,10,50")
    if step_s is not None and step_s < 1:
        raise typer.BadParameter(f"--step-s is {step_s}: it takes whole seconds, less than an hour")
    way = {"strategy": strategy, "step_s": None if step_s is None else str(step_s), "into_incident": reason}
    return {name: value for name, value in way.items() if value}


def _rises(strategy: str) -> bool:
    """Whether weights rise from above 0 to 100 at most; a name is none."""
    weights = [float(word) for word in strategy.split(",") if word[0].isdigit()]
    return weights == sorted(set(weights)) and all(0 < weight <= 100 for weight in weights)
