"""The end of a machine that answered nobody: EventBridge tells of it, and CloudFormation hears of it at once.

It may have been stopped by a person, may have run out of time, or its role may not call this function any more.
Without this CloudFormation would wait for an hour.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from functions.rollout import cloudformation
from functions.rollout.order import Order
from functions.rollout.parts import Parts, parts

KIND = "Step Functions Execution Status Change"


def ended(event: Mapping[str, Any]) -> str:
    """Take a dead machine's release back, send the response to CloudFormation, and return its reason.

    A release that was promoted before its machine died stays so.
    """
    detail = event["detail"]
    document = json.loads(detail["input"])
    reason = f"The state machine of the release ended as {detail['status']}, and what it had begun was taken back."
    well = False
    try:
        well, reason = _taken_back(document, parts(Order.of(document["order"])), reason)
    except Exception:  # CloudFormation waits for the response
        logging.getLogger(__name__).exception("the release couldn't be taken back")
        reason = f"{reason.partition(',')[0]}, and it isn't known how far it came."
    cloudformation.answer(document["answer"], "SUCCESS" if well else "FAILED", reason)
    return reason


def _taken_back(document: Mapping[str, Any], using: Parts, reason: str) -> tuple[bool, str]:
    known = using.ledger.read()
    if known is None:
        return False, reason
    entry = known.history.ended(document["id"])
    if entry:
        return entry.ended == "promoted", entry.reason
    running = known.history.running
    if running and running.release == document["id"]:
        by_hand = known.history.put_by_hand(document.get("asked", 0))
        in_force = {name: by_hand.get(name, version) for name, version in running.before.items()}
        try:
            reason = " ".join([reason, *using.aliases.put_back(in_force)])
        finally:
            using.ledger.end(known.token, "rolled-back", reason, in_force if in_force != running.before else None)
    return False, reason
