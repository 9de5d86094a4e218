"""The end of a release: the rollback, and the response to CloudFormation."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from functions.rollout import cloudformation
from functions.rollout.clock import now_s
from functions.rollout.ledger import LedgerMissingError, SupersededError
from functions.rollout.migration import Migration, MigrationCrashedError, MigrationError
from functions.rollout.order import Order
from functions.rollout.parts import Parts
from functions.rollout.reporting import file_report

Document = dict[str, Any]
# The longest time of a call that undoes migrations, and of the response after it.
_UNDO_S = 110


def roll_back(document: Document, order: Order, using: Parts) -> Document:
    """Take all weight from the new versions, if the machine hasn't done so itself, and file the report."""
    reason = document.get("reason") or error_of(document)
    try:
        using.ledger.write(document["token"], phase="rolling back", percent="0", unshifted=_unshifted(document))
    except SupersededError as error:
        if not _is_lost(document, using):
            return {"outcome": "FAILED", "reason": f"{reason} ({error})", "undoing": "done"}
        reason = f"{reason} The ledger's item of this release is gone."
    except Exception:  # noqa: BLE001  # the aliases have to be set even if the table is gone
        _log().exception("the ledger doesn't answer")
    in_force = _in_force(document, using)
    reason = " ".join([reason, *using.aliases.put_back(in_force)])
    filed(using, document, order)
    # A runner that returned no result may have expanded the schema, too.
    same = "schema" in document and document["schema"] == document["schema_before"]
    untouched = document.get("untouched") or same or not order.migrate
    more = {"in_force": in_force} if in_force != document["stable"] else {}
    return {"outcome": "FAILED", "reason": reason, "undoing": "done" if untouched else "more", **more}


def _is_lost(document: Document, using: Parts) -> bool:
    """Whether the ledger's item was deleted or overwritten meanwhile, and no other release has its lock."""
    try:
        known = using.ledger.read()
    except LedgerMissingError:
        return True
    return known is None or (not known.running and known.token < document["token"])


def _in_force(document: Document, using: Parts) -> dict[str, str]:
    """Return the versions to which the aliases go back: a person's choice meanwhile, or else those before."""
    by_hand = dict(document.get("by_hand") or {})
    with suppress(Exception):  # the versions before are known without the ledger
        by_hand = {**using.ledger.history().put_by_hand(document["began"]), **by_hand}
    return {name: by_hand.get(name, version) for name, version in document["stable"].items()}


def filed(using: Parts, document: Mapping[str, Any], order: Order) -> None:
    """File the report; an error stops neither a release nor a rollback."""
    try:
        file_report(using.ledger, document, order)
    except Exception:  # noqa: BLE001  # see above
        _log().exception("the report couldn't be filed")


def _unshifted(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return when the verdict was known (epoch milliseconds), and when the machine had taken all weight (ISO 8601)."""
    return {"judged_ms": document.get("judged_ms"), "at": (document.get("unshifted") or {}).get("at")}


def undo(document: Document, order: Order, using: Parts) -> Document:
    """Undo this release's expansion of the schema, if that is safe; if not, the old versions run on it, too."""
    if now_s() > document["began"] + order.machine_s - _UNDO_S:
        note = "The schema stays expanded, for there is no more time: `tidegate migrate --down` takes it back."
        return {"undoing": "done", "reason": f"{document['reason']} {note}"}
    try:
        migrated = Migration(using.invoke, order.migrate or "").run("down", document["id"])
    except (MigrationError, MigrationCrashedError) as error:
        return {"undoing": "done", "reason": f"{document['reason']} The schema stays expanded: {error}"}
    note = f"{document['reason']} The schema is {migrated.schema}."
    return {"undoing": migrated.status, **({"reason": note} if migrated.status == "done" else {})}


def answer(document: Document, order: Order, using: Parts) -> Document:
    """Free the lock, and send the response to CloudFormation, even if the ledger doesn't answer."""
    well = document.get("outcome") == "SUCCESS"
    reason = document.get("reason") or error_of(document)
    if "token" in document:
        in_force = order.versions if well else document.get("in_force")
        try:
            using.ledger.end(document["token"], "promoted" if well else "rolled-back", reason, in_force)
        except Exception:  # noqa: BLE001  # CloudFormation waits for the response
            _log().exception("the ledger doesn't answer")
    cloudformation.answer(document["answer"], "SUCCESS" if well else "FAILED", reason)
    # The machine chooses by the outcome, and a state that failed left none.
    return {"reason": reason, "outcome": "SUCCESS" if well else "FAILED"}


def error_of(document: Mapping[str, Any]) -> str:
    """Return a sentence on why a state failed."""
    error = document.get("error") or {}
    cause = str(error.get("Cause", ""))
    with suppress(ValueError, TypeError, KeyError):  # a Lambda function's error is a JSON document
        cause = json.loads(cause)["errorMessage"]
    return f"The controller failed: {error.get('Error', 'unknown')}: {cause[:800]}"


def _log() -> logging.Logger:
    return logging.getLogger(__name__)
