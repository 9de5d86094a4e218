"""An invocation: the event read, the runner put together from the environment, and the answer."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import boto3
from botocore.config import Config

from functions.api.schema import OLDEST_SCHEMA
from functions.migrate.backfill import Table
from functions.migrate.clock import SystemClock
from functions.migrate.files import load
from functions.migrate.ledger import Ledger
from functions.migrate.runner import Action, Request, Runner
from functions.migrate.work import Bounds, Parts

_ACTIONS: tuple[Action, ...] = get_args(Action)
VERSIONS = Path(__file__).parent / "versions"

# Whoever invokes waits for the answer, so a slice is short; and it ends early enough for a round that was just begun.
MOST_SLICE_S = 20.0
MARGIN_S = 15.0
_WRITES_PER_S = 500.0


class EventError(Exception):
    """The event asks for nothing that there is; the message says what is taken instead."""


def answer(event: Mapping[str, Any], remaining_s: float) -> dict[str, Any]:
    """Do what an event asks for, in the time that is left.

    Returns:
        `status` ("done", "more": invoke again with the same event, "failed": `reason` says why), `schema` in force,
        the one `before` the release, the oldest that code may be written for (`contracted`), and `progress`.

    Raises:
        EventError: the event is wrong.
        MigrationFileError: a file of `versions` is.
    """
    return runner(os.environ, remaining_s, VERSIONS).run(request_of(event))


def request_of(event: Mapping[str, Any]) -> Request:
    """Read an event: `action`, `release`, `dry_run`, and `to`, the schema that `down` returns to."""
    action, release = _action(event.get("action")), event.get("release")
    if action in {"expand", "contract"} and not release:
        raise EventError(f"{action} needs `release`: which release it is run for")
    if action == "down" and not release and "to" not in event:
        raise EventError("down needs `release`, whose migrations are taken back, or `to`, the schema to return to")
    return Request(action, release, int(event.get("to", 0)), bool(event.get("dry_run")))


def _action(text: object) -> Action:
    for action in _ACTIONS:
        if action == text:
            return action
    raise EventError(f"action is {text!r}: it must be one of {', '.join(_ACTIONS)}")


def runner(environ: Mapping[str, str], remaining_s: float, versions: Path) -> Runner:
    """Put a runner together."""
    client, clock = _client(), SystemClock()
    names = {"orders": environ["TIDEGATE_ORDERS_TABLE"], "products": environ["TIDEGATE_PRODUCTS_TABLE"]}
    parts = Parts(load(versions), clock, lambda table: Table(client, names[table]))
    ledger = Ledger(client, environ["TIDEGATE_TABLE"], environ.get("TIDEGATE_NAMESPACE", "default"), clock)
    slice_s = max(0.0, min(MOST_SLICE_S, remaining_s - MARGIN_S))
    bounds = Bounds(slice_s, float(environ.get("TIDEGATE_MIGRATE_WRITES_PER_S", _WRITES_PER_S)))
    return Runner(parts, ledger, bounds, OLDEST_SCHEMA)


def _client() -> Any:
    retries: Any = {"total_max_attempts": 3, "mode": "standard"}
    return boto3.client("dynamodb", config=Config(connect_timeout=1, read_timeout=2, retries=retries))
