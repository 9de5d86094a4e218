"""An invocation: the event read, the runner put together from the environment, and the answer."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from functions.api.schema import OLDEST_SCHEMA
from functions.migrate import pacing, transience
from functions.migrate.backfill import Table
from functions.migrate.clock import SystemClock
from functions.migrate.faults import said
from functions.migrate.files import MigrationFileError, load
from functions.migrate.journal import Journal
from functions.migrate.ledger import Ledger
from functions.migrate.runner import Action, Request, Runner, document
from functions.migrate.tables import tables
from functions.migrate.work import Bounds, Outcome, Parts

_ACTIONS: tuple[Action, ...] = get_args(Action)
VERSIONS = Path(__file__).parent / "versions"

# Whoever invokes waits for the answer, so a slice is short; and it ends early enough for a round that was just begun.
MOST_SLICE_S = 20.0
MARGIN_S = 15.0
RATE = "TIDEGATE_MIGRATE_WRITES_PER_S"
_WRITES_PER_S = "500"


class EventError(Exception):
    """The event asks for nothing that there is; the message says what is taken instead."""


class SettingError(Exception):
    """A variable of the environment can't be what it is; the message says what it may be."""


def answer(event: Mapping[str, Any], remaining_s: float) -> dict[str, Any]:
    """Do what an event asks for, in the time that is left.

    Returns:
        `status` ("done", "more": invoke again with the same event, "failed": `reason` says why), `schema` in force,
        the one `before` the release, the oldest that code may be written for (`contracted`), and `progress`.

    Raises:
        EventError: the event is wrong.
    """
    request = request_of(event)
    try:
        return runner(os.environ, remaining_s, VERSIONS).run(request)
    except (MigrationFileError, SettingError) as error:
        return document(Outcome("failed", str(error)), _ledger(os.environ, _client()).read(), request.release)
    except ClientError as error:  # not the project's tables: those are the runner's to tell
        if transience.passes(error):
            raise
        reason = f"the journal, in the table {os.environ['TIDEGATE_TABLE']}: {said(error)}"
        return document(Outcome("failed", reason), Journal(), request.release)


def request_of(event: Mapping[str, Any]) -> Request:
    """Read an event: `action`, `release`, `dry_run`, and `to`, the schema that `down` returns to.

    Raises:
        EventError: it asks for nothing, or for what can't be together.
    """
    action, release = _action(event.get("action")), event.get("release")
    dry_run, floor = event.get("dry_run", False), event.get("to", 0)
    if not (release is None or isinstance(release, str)):
        raise EventError(f"`release` is {release!r}: it must be a release's name")
    if not isinstance(dry_run, bool):
        raise EventError(f"`dry_run` is {dry_run!r}: it must be true or false")
    if isinstance(floor, bool) or not isinstance(floor, int) or floor < 0:
        raise EventError(f"`to` is {floor!r}: it must be a schema's number, 0 or more")
    if action in {"expand", "contract"} and not release:
        raise EventError(f"{action} needs `release`: which release it is run for")
    if action != "down" and "to" in event:
        raise EventError(f"{action} takes no `to`: that is the schema to which `down` returns")
    if action == "down" and not release and "to" not in event:
        raise EventError("down needs `release`, whose migrations are taken back, or `to`, the schema to return to")
    return Request(action, release, floor, dry_run)


def _action(text: object) -> Action:
    for action in _ACTIONS:
        if action == text:
            return action
    raise EventError(f"action is {text!r}: it must be one of {', '.join(_ACTIONS)}")


def runner(environ: Mapping[str, str], remaining_s: float, versions: Path) -> Runner:
    """Put a runner together.

    Raises:
        MigrationFileError: a file of `versions` isn't a migration.
        SettingError: the rate isn't one.
    """
    client, clock = _client(), SystemClock()
    names = tables(environ)
    parts = Parts(load(versions, names), clock, lambda table: Table(client, names[table]))
    slice_s = max(0.0, min(MOST_SLICE_S, remaining_s - MARGIN_S))
    return Runner(parts, _ledger(environ, client), Bounds(slice_s, writes_per_s(environ)), OLDEST_SCHEMA)


def writes_per_s(environ: Mapping[str, str]) -> float:
    """Read how many items may be written in a second.

    Raises:
        SettingError: that is no rate.
    """
    text = environ.get(RATE, _WRITES_PER_S)
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not pacing.allowed(rate):
        raise SettingError(f"{RATE} is {text!r}: it must be a number of writes per second above 0, such as 500 or 0.5")
    return rate


def _ledger(environ: Mapping[str, str], client: Any) -> Ledger:
    return Ledger(client, environ["TIDEGATE_TABLE"], environ.get("TIDEGATE_NAMESPACE", "default"), SystemClock())


def _client() -> Any:
    retries: Any = {"total_max_attempts": 3, "mode": "standard"}
    return boto3.client("dynamodb", config=Config(connect_timeout=1, read_timeout=2, retries=retries))
