"""The answer to CloudFormation, which waits for it at an address of its own."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from typing import Any, Literal

Status = Literal["SUCCESS", "FAILED"]
# It takes 4096 bytes in all, addresses and identifiers included.
_MOST_REASON = 2000
_TIMEOUT_S = 20
_KEPT = ("ResponseURL", "StackId", "RequestId", "LogicalResourceId")


def address(event: Mapping[str, Any]) -> dict[str, str]:
    """Keep of a request what its answer needs; without a ResponseURL nobody waits for one (docs/releases.md)."""
    kept = {name: event[name] for name in _KEPT if name in event}
    # It never changes: another one would have CloudFormation delete the former.
    return {**kept, "PhysicalResourceId": event.get("PhysicalResourceId") or "tidegate-release"}


def answer(to: Mapping[str, str], status: Status, reason: str) -> None:
    """Say how the release ended; CloudFormation goes on, or rolls the stack back."""
    if "ResponseURL" not in to:
        return  # whoever ordered it reads how the machine ended
    body = {name: value for name, value in to.items() if name != "ResponseURL"}
    body |= {"Status": status, "Reason": reason[:_MOST_REASON] or status}
    request = urllib.request.Request(  # noqa: S310 - CloudFormation's own address: S3, or the local engine
        to["ResponseURL"],
        data=json.dumps(body).encode(),
        method="PUT",
        headers={"Content-Type": ""},  # part of what S3's address is signed for
    )
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S):  # noqa: S310 - see above
        pass
