"""The `tidegate prove-aws` command."""

import os
import subprocess
import tempfile
import uuid
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from tidegate_local.errors import ProofError
from tidegate_local.layout import StateFolder, project_folder
from tidegate_local.prove import report as reports
from tidegate_local.prove import signature
from tidegate_local.prove.aws_site import AwsSite
from tidegate_local.prove.engine_site import EngineSite
from tidegate_local.prove.outcome import Outcome
from tidegate_local.prove.plan import Caps, Step
from tidegate_local.prove.runner import prove
from tidegate_local.prove.site import Site
from tidegate_local.prove.steps import END, PLAN

_MARKS = {"passed": "[green]✓[/green]", "failed": "[red]✗[/red]", "not run": "[yellow]○[/yellow]"}


def prove_aws(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Rehearse it on the embedded engine; nothing reaches AWS.")
    ] = False,
    env: Annotated[
        str | None, typer.Option(help="The throwaway environment, proveXXXXXXX; default: a new name.")
    ] = None,
    most_usd: Annotated[float, typer.Option(help="What it may cost, in US dollars, its end apart.")] = 5.0,
    most_minutes: Annotated[float, typer.Option(help="How long it may take, its end apart.")] = 180.0,
    key: Annotated[
        Path | None, typer.Option(help="A private SSH key that signs the report; without one nobody vouches for it.")
    ] = None,
    only_destroy: Annotated[
        bool, typer.Option("--only-destroy", help="Destroy the environment of a proof that was cut short; with --env.")
    ] = False,
) -> None:
    """Deploy a throwaway environment, prove it and destroy it; exit status 1 if a step fails."""
    if most_usd <= 0 or most_minutes <= 0:
        raise typer.BadParameter("--most-usd and --most-minutes must be more than 0")
    if only_destroy and (dry_run or not env):
        raise typer.BadParameter("--only-destroy wants --env, and no --dry-run")
    signature.check_key(key)
    console, began = Console(soft_wrap=True), _now()
    caps = Caps(most_usd, most_minutes * 60)
    with ExitStack() as stack:
        site = _site(stack, dry_run=dry_run, env=env, owned=only_destroy)
        outcomes = prove(site, () if only_destroy else PLAN, END, caps, _Shown(console))
        about = site.about()
    made = reports.Report(dry_run, about, _commit(), began, _now(), caps, outcomes)
    folder = StateFolder.from_environ().path / "reports"
    folder.mkdir(parents=True, exist_ok=True)
    document, page = reports.write(made, folder, f"prove-{datetime.now(UTC):%Y%m%d-%H%M%S}")
    signed, _public = signature.sign(document, key)
    console.print(f"\n{escape(made.verdict)}.\nReport: {page}\nSigned: {document}, {signed.name}", highlight=False)
    if made.failed:
        raise typer.Exit(1)


def _site(stack: ExitStack, *, dry_run: bool, env: str | None, owned: bool) -> Site:
    if dry_run:
        # Not below the state folder: whoever has a cloud up keeps it.
        return EngineSite(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tidegate-prove-"))))
    if os.environ.get("AWS_ENDPOINT_URL"):
        raise ProofError("AWS_ENDPOINT_URL is set, so that this wouldn't reach AWS: unset it, or take --dry-run")
    name = env or f"prove{uuid.uuid4().hex[:7]}"
    return AwsSite(StateFolder.from_environ().path / name, name, owned=owned)


def _commit() -> str:
    """Name the commit that was deployed; a word tells that the checkout had changes."""
    try:
        words = ["git", "describe", "--always", "--dirty=, with changes", "--abbrev=40", "--exclude=*"]
        done = subprocess.run(words, cwd=project_folder(), capture_output=True, text=True, check=False)  # noqa: S603 - ours
    except OSError:
        return "unknown: no git"
    return done.stdout.strip() if done.returncode == 0 else "unknown: no git repository"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


class _Shown:
    """Shows the steps on a console."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def begins(self, step: Step) -> None:
        """Say which step begins."""
        self._console.print(f"… {step.name}: {step.what}", highlight=False)

    def ended(self, outcome: Outcome) -> None:
        """Say how it ended."""
        seen = escape(outcome.seen)
        self._console.print(
            f"{_MARKS[outcome.state]} {outcome.step} ({outcome.state}, {outcome.seconds:.0f} s): {seen}",
            highlight=False,
        )
