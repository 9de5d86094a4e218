"""`tidegate migrate`: the function that migrates, invoked until it is done."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, Literal

import typer
from botocore.exceptions import BotoCoreError, ClientError

from tidegate_local import cloud
from tidegate_local.errors import LocalCloudError
from tidegate_local.releases.gone_back import gone_back
from tidegate_local.state import LocalState

Action = Literal["expand", "contract", "down", "status"]
Answer = Mapping[str, Any]

_BETWEEN_S = 0.5
_WHOSE = "`tidegate migrate --status` shows which release expanded what."
_GOES_ON = "What was done is written down: the same command goes on from there."


class MigrateError(LocalCloudError):
    """A migration failed; the message is the function's."""


def chosen(*, status: bool, dry_run: bool, contract: bool, down: str | None) -> Action:
    """Pick the action that the command's options ask for.

    Raises:
        typer.BadParameter: they contradict each other, or one of them would have no effect.
    """
    asked = [
        name for name, given in (("--status", status), ("--contract", contract), ("--down", down is not None)) if given
    ]
    if len(asked) > 1:
        raise typer.BadParameter(f"{' and '.join(asked)} are different things to do: give one of them.")
    if status and dry_run:
        raise typer.BadParameter("--status changes nothing anyway: leave --dry-run out.")
    if down is None:
        return "status" if status else "contract" if contract else "expand"
    if not down.strip() or down.startswith("-"):
        raise typer.BadParameter(f"{down!r} is no release's name. {_WHOSE}", param_hint="--down")
    return "down"


def run(state: LocalState, action: Action, *, release: str | None = None, dry_run: bool = False) -> Iterator[Answer]:
    """Invoke the function again and again, and yield its answers, the last of which is "done".

    Without a release it is run for one of its own, which is named after the time.

    Raises:
        MigrateError: it failed.
    """
    name = state.outputs.get("MigrateName")
    if name is None:
        raise MigrateError("This cloud has no function that migrates: `make up` deploys it.")
    event = {"action": action, "dry_run": dry_run, "release": release or f"by-hand-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"}
    with closing(cloud.client("lambda", state.endpoint_url)) as functions:
        while True:
            if action == "contract" and not dry_run and (reason := gone_back(state)):
                raise MigrateError(reason)
            answer = _invoke(functions, name, event)
            if answer["status"] == "failed":
                raise MigrateError(str(answer["reason"]))
            yield answer
            if answer["status"] == "done":
                return
            if "trouble" in answer["progress"]:
                time.sleep(_BETWEEN_S)


def effective(answers: Iterable[Answer], release: str) -> Iterator[Answer]:
    """Pass the answers to `--down` on.

    Raises:
        typer.BadParameter: at the end it turns out that there was nothing to take back.
    """
    took, kept = False, {}
    for answer in answers:
        progress = answer["progress"]
        took = took or bool(progress.get("undone") or progress.get("due")) or progress.get("doing") == "undoing"
        kept = progress.get("kept", {})
        if took or answer["status"] != "done":
            yield answer
    if not took:
        why = "; ".join(f"{name} stays: {why}" for name, why in kept.items())
        said = why or f"none is in force that {release} expanded"
        raise typer.BadParameter(f"Nothing was taken back: {said}. {_WHOSE}", param_hint="--down")


def lines(answer: Answer) -> Iterator[str]:
    """Say an answer in lines for a person."""
    progress = answer["progress"]
    if answer["status"] == "more":
        yield progress.get("trouble") or "{migration}: {doing}, {read} read, {written} written".format(**progress)
        return
    if answer["reason"]:
        yield f"Nothing may run: {answer['reason']}"
    for migration in progress.get("migrations", ()):
        yield _line(migration)
    for due in progress.get("due", ()):
        yield f"{due['name']}: due, {'' if due['exact'] else 'at least '}{due['items']} items"
    yield from (
        f"{name}: is taken back first, its file isn't there as it was" for name in progress.get("taken_back_first", ())
    )
    for doing in ("expanded", "contracted", "undone"):
        yield from (f"{name}: {doing}" for name in progress.get(doing, ()))
    yield from (f"{name}: waits, {why}" for name, why in progress.get("waiting", {}).items())
    yield from (f"{name}: stays, {why}" for name, why in progress.get("kept", {}).items())
    yield f"Schema {answer['schema']} is in force."


def _line(migration: Mapping[str, Any]) -> str:
    about = f"{migration['name']}: {migration['state']}"
    if "read" in migration:
        about += f", {migration['read']} read, {migration['written']} written"
    if migration.get("release"):
        about += f", by {migration['release']}"
    return f"{about} ({migration['reason']})" if migration.get("reason") else about


def _invoke(functions: cloud.Client, name: str, event: Mapping[str, Any]) -> Answer:
    try:
        told = functions.invoke(FunctionName=name, Payload=json.dumps(event).encode())
        document: Any = json.loads(told["Payload"].read() or b"null")
    except (BotoCoreError, ClientError, ValueError) as error:
        raise MigrateError(f"{name} didn't answer: {error}\n{_GOES_ON}") from error
    if "FunctionError" in told:
        about = document if isinstance(document, dict) else {}
        raise MigrateError(f"{about.get('errorType', 'Error')}: {about.get('errorMessage', document)}\n{_GOES_ON}")
    if not (isinstance(document, dict) and document.keys() >= {"status", "schema", "progress", "reason"}):
        raise MigrateError(f"{name} answered {document!r}, which isn't what the function that migrates says.")
    answer: Answer = document
    return answer
