"""Does an action under the lock, or says what it would do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from botocore.exceptions import ClientError

from functions.migrate import contracting, expanding, preview, transience, undoing
from functions.migrate.faults import TableMissingError, said
from functions.migrate.journal import Journal
from functions.migrate.ledger import Ledger
from functions.migrate.planning import refusal
from functions.migrate.work import Bounds, Outcome, Parts, Work

Action = Literal["expand", "contract", "down", "status"]


class Request(NamedTuple):
    """What is asked for.

    Attributes:
        action: what to do.
        release: on whose behalf. Of `down`: whose migrations are taken back; None: whoever's.
        floor: of `down`: the schema to return to at the furthest.
        dry_run: say what would be done, and on how many items, and do nothing.
    """

    action: Action
    release: str | None
    floor: int = 0
    dry_run: bool = False


class Runner:
    """Runs migrations; `oldest` is the oldest schema whose form the code in force still needs."""

    def __init__(self, parts: Parts, ledger: Ledger, bounds: Bounds, oldest: int) -> None:
        self._parts = parts
        self._ledger = ledger
        self._bounds = bounds
        self._oldest = oldest

    def run(self, request: Request) -> dict[str, Any]:
        """Do as much of an action as fits into the time, and say what came of it."""
        try:
            if request.action == "status" or request.dry_run:
                outcome, journal = self._looked(request)
            else:
                outcome, journal = self._done(request)
        except Exception as error:
            if transience.passes(error):
                outcome, journal = Outcome("more", progress={"trouble": said(error)}), self._ledger.read()
            elif isinstance(error, ClientError | TableMissingError):
                outcome, journal = Outcome("failed", said(error)), self._ledger.read()
            else:
                raise
        return document(outcome, journal, request.release)

    def _done(self, request: Request) -> tuple[Outcome, Journal]:
        held = self._ledger.take()
        if held is None:
            return Outcome("more", progress={"trouble": "another runner has the lock"}), self._ledger.read()
        work = Work(self._parts, self._ledger, held, self._bounds)
        try:
            outcome = self._actions(request)(work)
        finally:
            self._ledger.leave(work.held)
        return outcome, work.journal

    def _actions(self, request: Request) -> Callable[[Work], Outcome]:
        release = request.release or ""
        actions: dict[str, Callable[[Work], Outcome]] = {
            "expand": lambda work: expanding.expand(work, release),
            "contract": lambda work: contracting.contract(work, release, self._oldest),
            "down": lambda work: undoing.down(work, request.release, request.floor),
        }
        return actions[request.action]

    def _looked(self, request: Request) -> tuple[Outcome, Journal]:
        journal = self._ledger.read()
        refused = refusal(self._parts.migrations, journal)
        if refused and request.action not in {"status", "down"}:
            return Outcome("failed", refused), journal
        reason = refused if request.action == "status" else None
        return Outcome("done", reason, self._preview(request, journal)), journal

    def _preview(self, request: Request, journal: Journal) -> dict[str, Any]:
        parts, bounds = self._parts, self._bounds
        if request.action == "expand":
            return preview.expand(parts, journal, bounds)
        if request.action == "contract":
            return preview.contract(parts, journal, bounds, request.release or "", self._oldest)
        if request.action == "down":
            return preview.down(parts, journal, bounds, request.release, request.floor)
        return preview.status(parts, journal)


def document(outcome: Outcome, journal: Journal, release: str | None) -> dict[str, Any]:
    """Write an outcome as JSON; `before` is the schema that was in force before the release."""
    return {
        "status": outcome.status,
        "schema": journal.schema,
        "before": journal.before(release) if release else journal.schema,
        "contracted": journal.contracted,
        "progress": dict(outcome.progress),
        "reason": outcome.reason,
    }
