"""The response to CloudFormation, which waits for it at a presigned URL."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from typing import Any, Literal

from functions.rollout.retrying import retried

Status = Literal["SUCCESS", "FAILED"]
# CloudFormation accepts 4096 bytes in all, addresses and identifiers included.
_MOST_REASON = 2000
_TIMEOUT_S = 10
# For so long a response is sent again that S3 doesn't take, or that nobody takes; seconds.
_SENT_WITHIN_S = 25
_KEPT = ("ResponseURL", "StackId", "RequestId", "LogicalResourceId")


def address(event: Mapping[str, Any]) -> dict[str, str]:
    """Return what a response needs of its request; without a ResponseURL none is sent (docs/releases.md)."""
    kept = {name: event[name] for name in _KEPT if name in event}
    # It never changes, because CloudFormation would delete the former resource.
    return {**kept, "PhysicalResourceId": event.get("PhysicalResourceId") or "tidegate-release"}


def answer(to: Mapping[str, str], status: Status, reason: str) -> None:
    """Send how the release ended; CloudFormation goes on, or rolls the stack back.

    Raises:
        OSError: nobody took it, though it was sent again for half a minute.
    """
    if "ResponseURL" not in to:
        return  # without custom resources the machine's result is read instead
    body = {name: value for name, value in to.items() if name != "ResponseURL"}
    body |= {"Status": status, "Reason": reason[:_MOST_REASON] or status}
    request = urllib.request.Request(  # noqa: S310 - CloudFormation's own address: S3, or the local engine
        to["ResponseURL"],
        data=json.dumps(body).encode(),
        method="PUT",
        headers={"Content-Type": ""},  # S3's presigned URL is signed for an empty type
    )
    retried(lambda: _send(request), _SENT_WITHIN_S, lambda error: isinstance(error, OSError))


def _send(request: urllib.request.Request) -> None:
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S):  # noqa: S310 - see `answer`
        pass
