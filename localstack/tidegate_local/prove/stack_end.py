"""The end of a throwaway stack: its protections, itself, and the tables and logs that it retains."""

import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from tidegate_local.errors import ProofError
from tidegate_local.stacks.description import described

_LOOK_EVERY_S = 5.0
_TABLE, _LOGS = "AWS::DynamoDB::Table", "AWS::Logs::LogGroup"


def destroy(client: Callable[[str], Any], stack: str, pause: Callable[[float], None] = time.sleep) -> tuple[str, ...]:
    """Delete a stack with all that it made; returns the names of the tables and log groups that it had retained.

    Args:
        client: makes clients by service.
        stack: its name.
        pause: waits so many seconds.

    Raises:
        ProofError: something of it is left; the message names it.
    """
    stacks = client("cloudformation")
    found = described(stacks, stack)
    # By its id it can be described when it is gone, too: an end that was cut short is taken up again.
    arn = str(found["StackId"]) if found else _deleted(stacks, stack)
    if arn is None:
        return ()
    made = _resources(stacks, arn)
    tables = [name for kind, name in made if kind == _TABLE]
    groups = [name for kind, name in made if kind == _LOGS]
    for table in tables:
        _unprotect(client("dynamodb"), table)
    if found:
        if found.get("EnableTerminationProtection"):
            stacks.update_termination_protection(StackName=stack, EnableTerminationProtection=False)
        stacks.delete_stack(StackName=stack)
        _await_deletion(stacks, arn, pause)
    retained = [
        *[table for table in tables if _delete_table(client("dynamodb"), table)],
        *[group for group in groups if _delete_group(client("logs"), group)],
    ]
    left = [table for table in tables if not _gone(client("dynamodb"), table, pause)]
    if left:
        raise ProofError(f"The stack {stack} is gone, and these of its tables are not: {', '.join(left)}")
    return tuple(retained)


def _deleted(stacks: Any, stack: str) -> str | None:
    """Return the id of the newest stack of this name that was deleted; None: there never was any."""
    pages = stacks.get_paginator("list_stacks").paginate(StackStatusFilter=["DELETE_COMPLETE"])
    found = [each for page in pages for each in page["StackSummaries"] if each["StackName"] == stack]
    newest = max(found, key=lambda each: str(each.get("DeletionTime", "")), default=None)
    return str(newest["StackId"]) if newest else None


def _resources(stacks: Any, arn: str) -> list[tuple[str, str]]:
    pages = stacks.get_paginator("list_stack_resources").paginate(StackName=arn)
    return [
        (resource["ResourceType"], resource["PhysicalResourceId"])
        for page in pages
        for resource in page["StackResourceSummaries"]
        if resource.get("PhysicalResourceId")
    ]


def _await_deletion(stacks: Any, arn: str, pause: Callable[[float], None]) -> None:
    while True:
        try:
            (found,) = stacks.describe_stacks(StackName=arn)["Stacks"]
        except ClientError:
            return  # an engine forgets it at once
        if found["StackStatus"] == "DELETE_COMPLETE":
            return
        if found["StackStatus"] == "DELETE_FAILED":
            raise ProofError(
                f"{found['StackName']} can't be deleted: {found.get('StackStatusReason', 'no reason told')}"
            )
        pause(_LOOK_EVERY_S)


def _unprotect(dynamodb: Any, table: str) -> None:
    try:
        told = dynamodb.describe_table(TableName=table)["Table"]
        if told.get("DeletionProtectionEnabled"):
            dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
    except dynamodb.exceptions.ResourceNotFoundException:
        return


def _delete_table(dynamodb: Any, table: str) -> bool:
    try:
        dynamodb.delete_table(TableName=table)
    except dynamodb.exceptions.ResourceNotFoundException:
        return False
    return True


def _delete_group(logs: Any, group: str) -> bool:
    try:
        logs.delete_log_group(logGroupName=group)
    except logs.exceptions.ResourceNotFoundException:
        return False
    return True


def _gone(dynamodb: Any, table: str, pause: Callable[[float], None]) -> bool:
    for _ in range(60):
        try:
            dynamodb.describe_table(TableName=table)
        except dynamodb.exceptions.ResourceNotFoundException:
            return True
        pause(_LOOK_EVERY_S)
    return False
