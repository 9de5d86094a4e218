"""The controller's calls of the migrating function."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from functions.rollout.denial import DeniedError

Action = Literal["expand", "contract", "down", "status"]


# How AWS calls it, whatever the service.
_DENIED = "AccessDenied"


class MigrationError(Exception):
    """A migration failed; the message is the runner's."""


class MigrationCrashedError(Exception):
    """The runner ended without a result: killed, out of time, or by an error of its own. It may be called again."""


class MigrationDeniedError(MigrationCrashedError, DeniedError):
    """AWS denied the runner a call, as it does while the runner's role is new."""


class Told(NamedTuple):
    """The runner's result: whether it is `done`, the schema in force, the one before the release, and its progress."""

    status: Literal["done", "more"]
    schema: int
    schema_before: int
    progress: Mapping[str, Any]


class Migration:
    """Invokes the function through Lambda's API; one call does as much as fits into the function's time."""

    def __init__(self, invoke: Any, function: str) -> None:
        self._invoke = invoke
        self._function = function

    def run(self, action: Action, release: str) -> Told:
        """Do a part of a release's migrations.

        Raises:
            MigrationError: a migration failed.
            MigrationDeniedError: AWS denied the runner a call.
            MigrationCrashedError: there is no result; another call goes on at the last checkpoint.
        """
        event = json.dumps({"action": action, "release": release})
        invoked = self._invoke(FunctionName=self._function, Payload=event.encode())
        document = _read(invoked["Payload"].read() or b"null")
        if "FunctionError" in invoked:
            about = document if isinstance(document, dict) else {}
            why = f"{about.get('errorType', 'Error')}: {about.get('errorMessage', document)}"
            raise MigrationCrashedError(f"{self._function} didn't answer ({why})")
        if not _is_told(document):
            raise MigrationError(
                f"{self._function} answers {json.dumps(document)[:400]}: it has to answer a status (done, more, or "
                'failed with a reason) and the schema\'s number, such as {"status": "done", "schema": 1}.'
            )
        if document["status"] == "failed":
            reason = document.get("reason") or str(document)
            raise (MigrationDeniedError if _DENIED in reason else MigrationError)(reason)
        schema = int(document["schema"])
        return Told(document["status"], schema, int(document.get("before", schema)), document.get("progress") or {})


def _is_told(document: Any) -> bool:
    """Whether the runner answered as one does."""
    if not isinstance(document, dict):
        return False
    numbers = [document.get("schema"), document.get("before", 0)]
    well = document.get("status") in {"done", "more"} and all(isinstance(of, int) for of in numbers)
    return well or document.get("status") == "failed"


def _read(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except ValueError:
        return payload.decode(errors="replace")
