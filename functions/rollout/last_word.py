"""The response of a controller that can't be imported, made by the standard library alone.

Without it CloudFormation would wait for an hour.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from typing import Any

_TIMEOUT_S = 20
_KEPT = ("StackId", "RequestId", "LogicalResourceId", "PhysicalResourceId")


def reason(error: BaseException) -> str:
    """Return a sentence on why it can't start."""
    return f"The controller of releases can't start: {type(error).__name__}: {error}"[:1500]


def say(event: Mapping[str, Any], error: BaseException) -> None:
    """Send the response to CloudFormation, for its own request or in the machine's last state; else do nothing.

    A stack's deletion succeeds in any case.
    """
    to = event if "ResponseURL" in event else (event.get("document") or {}).get("answer") or {}
    if "ResponseURL" not in to or event.get("action", "answer") != "answer":
        return
    gone = event.get("RequestType") == "Delete"
    body = {"PhysicalResourceId": "tidegate-release", **{name: to[name] for name in _KEPT if name in to}}
    body |= {"Status": "SUCCESS" if gone else "FAILED", "Reason": reason(error)}
    request = urllib.request.Request(  # noqa: S310  # CloudFormation's own address: S3, or the local engine
        to["ResponseURL"], data=json.dumps(body).encode(), method="PUT", headers={"Content-Type": ""}
    )
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S):  # noqa: S310  # see above
        pass
