"""What the machine's states do: each takes the execution's document and returns it with what it found out.

The document: `answer` (where CloudFormation waits), `order`, `id`; then `token`, `stable` (versions in force by
function), `fence` and `back` (what the machine needs to take all weight away by itself), `step`, `percent`,
`step_began`, and `outcome`, which the machine chooses its next state by.
Every state may be repeated: a machine whose call was lost calls again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from functions.rollout import cloudformation, looks, readiness
from functions.rollout.clock import now_s
from functions.rollout.ledger import SupersededError
from functions.rollout.migration import Migration, MigrationError
from functions.rollout.order import Order
from functions.rollout.parts import Parts, parts
from functions.rollout.reporting import file_report
from functions.rollout.watching import ABORTED, judge, top_up

Document = dict[str, Any]
State = Callable[[Document, Order, Parts], Document]


def run(action: str, document: Document) -> Document:
    """Do one state's work and return the document as it goes on."""
    order = Order.of(document["order"])
    return {**document, **STATES[action](document, order, parts(order))}


def lock(document: Document, order: Order, using: Parts) -> Document:
    """Take the lock, or refuse; settle what a dead machine may have left half-way."""
    # At the first release aliases have nothing to go back to, though they may be there (begin.py).
    stable = {} if document.get("first") else using.aliases.in_force(order.targets)
    about = {
        "targets": [target._asdict() for target in order.targets],
        "stable": stable,
        "steps": [step.percent for step in order.plan.steps],
        "phase": "locked",
        "go_on": False,
    }
    token = using.ledger.lock(document["id"], about)
    if token is None:
        return {"outcome": "refused", "reason": "Another release is under way: wait for its end, or abort it."}
    for name, version in stable.items():
        using.aliases.settle(name, version)
    ways_back = {"fence": using.ledger.fence(token), "back": [using.aliases.named(*of) for of in stable.items()]}
    began = {"step": 0, "percent": 0, "outcome": "locked", "look_s": order.look_s}
    return {"token": token, "stable": stable, **ways_back, **began}


def expand(document: Document, order: Order, using: Parts) -> Document:
    """Run the expand migrations that are due, as far as one call gets."""
    if order.migrate is None:
        return {"outcome": "done"}
    using.ledger.write(document["token"], phase="migrating")
    try:
        told = Migration(using.invoke, order.migrate).run("expand", document["id"])
    except MigrationError as error:
        return {"outcome": "roll_back", "reason": f"The migration failed. {error}"}
    using.ledger.write(document["token"], migration=json.dumps(told.progress))
    if using.ledger.aborted():
        return {"outcome": "roll_back", "reason": ABORTED}
    return {"outcome": told.status, "schema": told.schema, "schema_before": told.schema_before}


def ready(document: Document, order: Order, using: Parts) -> Document:
    """Ask the new versions, by their numbers, and the old ones on the expanded schema."""
    using.ledger.write(document["token"], phase="asking the new version")
    faults = readiness.faults(order, document["stable"], document.get("schema"), using.smoke)
    if faults:
        return {"outcome": "roll_back", "reason": "Not ready. " + " ".join(faults)}
    return {"outcome": "ready"}


def warm(document: Document, order: Order, using: Parts) -> Document:
    """Start environments of the new versions."""
    moving = order.moving(document["stable"])
    if not document["stable"] or not order.plan.steps:
        return {"outcome": "promote"}
    using.ledger.write(document["token"], phase="warming")
    for target in moving:
        using.smoke.warm(target, order.warm)
    return {"outcome": "shift"}


def past(document: Document, order: Order, using: Parts) -> Document:
    """Look at what the old versions did so far."""
    began = looks.first(using.counting, order.moving(document["stable"]), document["stable"], now_s())
    using.ledger.write(document["token"], looks=began)
    return {}


def shift(document: Document, order: Order, using: Parts) -> Document:
    """Give the new versions the step's weight."""
    step = document["step"]
    percent, now = order.plan.steps[step].percent, now_s()
    using.ledger.write(
        document["token"], phase="shifting", step=step, percent=str(percent), step_began=now, go_on=False
    )
    for target in order.moving(document["stable"]):
        using.aliases.shift(target.name, document["stable"][target.name], target.version, percent)
    return {"percent": percent, "step_began": now, "looked": now, "topped_up": 0, "outcome": "watch"}


def promote(document: Document, order: Order, using: Parts) -> Document:
    """Give the new versions all of the traffic; ask them once more; delete versions that nobody needs."""
    versions = {target.name: target.version for target in order.targets}
    using.ledger.write(document["token"], phase="promoting", percent="100")
    # Before the first promotion there are no aliases: CloudFormation is going to make them.
    moving = order.moving(document["stable"]) if document["stable"] else ()
    for target in moving:
        using.aliases.settle(target.name, target.version)
    faults = [fault for target in moving for fault in using.smoke.faults(target)]
    if faults:
        return {"outcome": "roll_back", "reason": "Not well after the promotion. " + " ".join(faults)}
    promotions = using.ledger.promoted(versions)
    for target in order.targets:
        # However many releases failed in between: what was in force before stays within reach.
        spared = {past[target.name] for past in promotions[-order.keep :] if target.name in past}
        using.aliases.prune(target.name, order.keep, spared)
    file_report(using.ledger, document, order)
    using.ledger.write(document["token"], promotions=promotions)
    said = "Promoted: " + ", ".join(f"{name} version {version}" for name, version in versions.items()) + "."
    return {"outcome": "SUCCESS", "reason": said}


def contract(document: Document, order: Order, using: Parts) -> Document:
    """Run the contract migrations of earlier releases that have baked; one that fails harms no promotion."""
    if order.migrate is None:
        return {"contracting": "done"}
    return {"contracting": Migration(using.invoke, order.migrate).run("contract", document["id"]).status}


def roll_back(document: Document, order: Order, using: Parts) -> Document:
    """See to it that the new versions have no weight, though the machine may have taken it already; file the report."""
    reason = document.get("reason") or _error(document)
    try:
        using.ledger.write(document["token"], phase="rolling back", percent="0", unshifted=_unshifted(document))
    except SupersededError as error:
        return {"outcome": "FAILED", "reason": f"{reason} ({error})", "undoing": "done"}
    for name, version in document["stable"].items():
        using.aliases.settle(name, version)
    file_report(using.ledger, document, order)
    # A runner that never answered may have expanded something, too.
    untouched = "schema" in document and document["schema"] == document["schema_before"]
    return {"outcome": "FAILED", "reason": reason, "undoing": "more" if order.migrate and not untouched else "done"}


def undo(document: Document, order: Order, using: Parts) -> Document:
    """Take back what this release expanded, if that is safe; else it stays: the old versions run on it, too."""
    try:
        told = Migration(using.invoke, order.migrate or "").run("down", document["id"])
    except MigrationError as error:
        return {"undoing": "done", "reason": f"{document['reason']} The schema stays expanded: {error}"}
    said = f"{document['reason']} The schema is {told.schema}."
    return {"undoing": told.status, **({"reason": said} if told.status == "done" else {})}


def _error(document: Mapping[str, Any]) -> str:
    error = document.get("error") or {}
    cause = str(error.get("Cause", ""))
    with suppress(ValueError, TypeError, KeyError):  # of a function's error Lambda makes a document
        cause = json.loads(cause)["errorMessage"]
    return f"The controller failed: {error.get('Error', 'unknown')}: {cause[:800]}"


def _unshifted(document: Mapping[str, Any]) -> dict[str, Any]:
    """Say when the verdict was known, and when the machine had taken all weight away (ISO 8601)."""
    return {"judged_ms": document.get("judged_ms"), "at": (document.get("unshifted") or {}).get("at")}


def answer(document: Document, order: Order, using: Parts) -> Document:  # noqa: ARG001  # a state's signature
    """Free the lock, and tell CloudFormation how it ended."""
    well = document.get("outcome") == "SUCCESS"
    reason = document.get("reason") or _error(document)
    if "token" in document:
        using.ledger.end(document["token"], "promoted" if well else "rolled-back", reason)
    cloudformation.answer(document["answer"], "SUCCESS" if well else "FAILED", reason)
    return {"reason": reason}


STATES: Mapping[str, State] = {
    "lock": lock,
    "expand": expand,
    "ready": ready,
    "warm": warm,
    "past": past,
    "shift": shift,
    "judge": judge,
    "top_up": top_up,
    "promote": promote,
    "contract": contract,
    "roll_back": roll_back,
    "undo": undo,
    "answer": answer,
}
