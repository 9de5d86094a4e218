"""`tidegate migrate`: the function that migrates, invoked until it is done."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, Literal

from tidegate_local import cloud
from tidegate_local.errors import LocalCloudError
from tidegate_local.state import LocalState

Action = Literal["expand", "contract", "down", "status"]
Answer = Mapping[str, Any]

_BETWEEN_S = 0.5


class MigrateError(LocalCloudError):
    """A migration failed; the message is the function's."""


def run(state: LocalState, action: Action, *, release: str | None = None, dry_run: bool = False) -> Iterator[Answer]:
    """Invoke the function again and again, and yield its answers, the last of which is "done".

    Without a release it is run for one of its own, which is named after the time.

    Raises:
        MigrateError: it failed.
    """
    event = {"action": action, "dry_run": dry_run, "release": release or f"by-hand-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"}
    with closing(cloud.client("lambda", state.endpoint_url)) as functions:
        while True:
            answer = _invoke(functions, state.outputs["MigrateName"], event)
            if answer["status"] == "failed":
                raise MigrateError(str(answer["reason"]))
            yield answer
            if answer["status"] == "done":
                return
            if "trouble" in answer["progress"]:
                time.sleep(_BETWEEN_S)


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
    for doing in ("expanded", "contracted", "undone"):
        yield from (f"{name}: {doing}" for name in progress.get(doing, ()))
    yield from (f"{name}: waits, {why}" for name, why in progress.get("waiting", {}).items())
    yield f"Schema {answer['schema']} is in force."


def _line(migration: Mapping[str, Any]) -> str:
    about = f"{migration['name']}: {migration['state']}"
    if "read" in migration:
        about += f", {migration['read']} read, {migration['written']} written"
    return f"{about} ({migration['reason']})" if migration.get("reason") else about


def _invoke(functions: cloud.Client, name: str, event: Mapping[str, Any]) -> Answer:
    told = functions.invoke(FunctionName=name, Payload=json.dumps(event).encode())
    document: Any = json.loads(told["Payload"].read() or b"null")
    if "FunctionError" in told:
        about = document if isinstance(document, dict) else {}
        raise MigrateError(f"{about.get('errorType', 'Error')}: {about.get('errorMessage', document)}")
    answer: Answer = document
    return answer
