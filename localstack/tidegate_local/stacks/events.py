"""Why a deploy failed: the one event among CloudFormation's that the others follow from."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

Event = Mapping[str, Any]

# What CloudFormation says of resources that are stopped because another one failed.
_FOLLOWS = re.compile(
    r"Resource (creation|update|deletion|import)( was)? cancell?ed|^The following resource\(s\) failed"
)
# What it puts around the words of a custom resource.
_WRAPPED = (
    re.compile(r"^(Received response status \[FAILED\] from custom resource\. )?Message returned: "),
    re.compile(r"\s*\(RequestId: [0-9a-fA-F-]+\)\s*$"),
    re.compile(r"\s*\(RequestToken: [0-9a-fA-F-]+, HandlerErrorCode: \w+\)\s*$"),
)
_RELEASE = "Custom::TidegateRelease"


def cause(events: Sequence[Event]) -> str | None:
    """Return why the last deploy that these events tell of failed, the first failure's words; None: nothing did.

    Args:
        events: in the order of their times.
    """
    failed = [event for event in _last_deploy(events) if _is_cause(event)]
    return _said(failed[0]) if failed else None


def stuck(events: Sequence[Event]) -> dict[str, str]:
    """Return the resources that CloudFormation failed to take back or to delete at last, and why, by logical id."""
    failed: dict[str, str] = {}
    for event in events:
        name, status = event["LogicalResourceId"], event["ResourceStatus"]
        if _is_of_the_stack(event):
            if status.endswith("_IN_PROGRESS") and not status.endswith("_CLEANUP_IN_PROGRESS"):
                failed.clear()
        elif status.endswith("_FAILED"):
            reason = str(event.get("ResourceStatusReason") or status)
            if not _FOLLOWS.search(reason):
                failed[name] = reason
        elif status.endswith("_COMPLETE"):
            failed.pop(name, None)
    return failed


def read(client: Any, stack: str, since: datetime | None = None) -> list[Event]:
    """Read a stack's events in the order of their times, none if CloudFormation doesn't say (a boto3 client)."""
    found: list[Event] = []
    with suppress(BotoCoreError, ClientError):  # the cause is a help, and its absence no fault of its own
        for page in client.get_paginator("describe_stack_events").paginate(StackName=stack):
            new = [event for event in page["StackEvents"] if since is None or event["Timestamp"] >= since]
            found.extend(new)
            if len(new) < len(page["StackEvents"]):
                break
    return found[::-1]


def _last_deploy(events: Sequence[Event]) -> Iterator[Event]:
    """Pick what happened since somebody last began something with the stack itself, its rollback included."""
    began = 0
    for place, event in enumerate(events):
        status = event["ResourceStatus"]
        if _is_of_the_stack(event) and status in {"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "IMPORT_IN_PROGRESS"}:
            began = place
    yield from events[began:]


def _is_cause(event: Event) -> bool:
    reason = str(event.get("ResourceStatusReason") or "")
    return event["ResourceStatus"].endswith("_FAILED") and bool(reason) and not _FOLLOWS.search(reason)


def _is_of_the_stack(event: Event) -> bool:
    return bool(
        event["ResourceType"] == "AWS::CloudFormation::Stack" and event["PhysicalResourceId"] == event["StackId"]
    )


def _said(event: Event) -> str:
    reason = str(event["ResourceStatusReason"])
    for wrapping in _WRAPPED:
        reason = wrapping.sub("", reason)
    if event["ResourceType"] == _RELEASE or _is_of_the_stack(event):
        return reason
    return f"{event['LogicalResourceId']} ({event['ResourceType']}): {reason}"
