"""The work after the response to CloudFormation: none of it can change how a release ended."""

from __future__ import annotations

import logging
from typing import Any

from functions.rollout.clock import now_s
from functions.rollout.migration import Migration
from functions.rollout.order import Order
from functions.rollout.parts import Parts

Document = dict[str, Any]
# The longest time of one call of the runner and the steps after it.
_CALL_S = 130


def contract(document: Document, order: Order, using: Parts) -> Document:
    """Run the contract migrations of earlier releases that have baked; a failed one doesn't affect the promotion."""
    if order.migrate is None:
        return {"contracting": "done"}
    if now_s() > document["began"] + order.machine_s - _CALL_S:
        return _remarked(document, "The contract migrations go on at the next release: this one's time is over.")
    try:
        if moved := _moved(order, using):
            return _remarked(document, f"No old form was taken away: {moved}, which may need it, is in force by now.")
        return {"contracting": Migration(using.invoke, order.migrate).run("contract", document["id"]).status}
    except Exception as error:  # noqa: BLE001  # it is reported, and the next release tries again
        return _remarked(document, f"A contract migration failed. {type(error).__name__}: {error}")


def _moved(order: Order, using: Parts) -> str | None:
    """Return a version that a person has put in force in place of the released one; None if there is none."""
    for target in order.targets:
        split = using.aliases.read(target.name)
        if split and split.version != target.version:
            return f"{target.name} version {split.version}"
    return None


def _remarked(document: Document, remark: str) -> Document:
    return {"contracting": "done", "remarks": [*document.get("remarks", ()), remark]}


def prune(document: Document, order: Order, using: Parts) -> Document:
    """Delete versions that aren't needed, and note errors in the ledger."""
    remarks = list(document.get("remarks", ()))
    told = (f"Old versions couldn't be deleted. {type(e).__name__}: {e}" for e in _pruned(document, order, using))
    remarks += dict.fromkeys(told)
    for remark in remarks:
        logging.getLogger(__name__).error("%s", remark)
    try:
        using.ledger.remark(document["token"], remarks)
    except Exception:  # it is in the log
        logging.getLogger(__name__).exception("the ledger doesn't answer")
    return {"remarks": remarks}


def _pruned(document: Document, order: Order, using: Parts) -> list[Exception]:
    """Delete each function's versions that aren't needed; return the errors."""
    errors = list[Exception]()
    try:
        history = using.ledger.history()
    except Exception as error:  # noqa: BLE001  # it is reported, and the next release tries again
        return [error]
    promotions = history.promotions()
    # The versions in force before are kept, however many releases failed in between. So are those to which the stack
    # goes back if another of its resources fails now.
    needed = [*promotions[-order.keep :], document["stable"], document.get("former") or {}, history.in_force]
    for name in (target.name for target in order.targets):
        spared = {versions[name] for versions in needed if name in versions}
        given_up = {
            entry.versions[name]
            for entry in history.entries
            if name in entry.versions and not history.served(name, entry.versions[name])
        }
        try:
            using.aliases.prune(name, order.keep, spared, given_up)
        except Exception as error:  # noqa: BLE001  # as above, and the others are tried
            errors.append(error)
    return errors
