"""The function that migrates, called from the controller."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

Action = Literal["expand", "contract", "down", "status"]


class MigrationError(Exception):
    """A migration failed; the message is the runner's."""


class MigrationCrashedError(Exception):
    """The runner ended without an answer: killed, out of time, or by an error of its own. It may be called again."""


class Told(NamedTuple):
    """What the runner says: whether it is `done`, the schema in force, the one before the release, and its progress."""

    status: Literal["done", "more"]
    schema: int
    schema_before: int
    progress: Mapping[str, Any]


class Migration:
    """Invokes the function by Lambda's API; one call does as much as fits into the function's time."""

    def __init__(self, invoke: Any, function: str) -> None:
        self._invoke = invoke
        self._function = function

    def run(self, action: Action, release: str) -> Told:
        """Do a part of the work on a release's behalf.

        Raises:
            MigrationError: a migration failed.
            MigrationCrashedError: there is no answer; whoever calls again goes on at the last checkpoint.
        """
        event = json.dumps({"action": action, "release": release})
        told = self._invoke(FunctionName=self._function, Payload=event.encode())
        document = json.loads(told["Payload"].read() or b"null")
        if "FunctionError" in told:
            about = document if isinstance(document, dict) else {}
            why = f"{about.get('errorType', 'Error')}: {about.get('errorMessage', document)}"
            raise MigrationCrashedError(f"{self._function} didn't answer ({why})")
        if document["status"] == "failed":
            raise MigrationError(document.get("reason") or str(document))
        schema = int(document["schema"])
        return Told(document["status"], schema, int(document.get("before", schema)), document.get("progress") or {})
