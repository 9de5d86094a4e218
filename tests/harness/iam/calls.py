"""The permissions that an operation of botocore's uses, with their resources and condition keys. Pure.

Source: "Actions, resources, and condition keys" of DynamoDB, SQS, Lambda, Step Functions, CloudWatch and CodeDeploy,
Service Authorization Reference.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tests.harness.iam.policy import Call

Arguments = Mapping[str, Any]
Context = Mapping[str, Sequence[str]]
# A batch is allowed to whoever may do each of its parts.
_SQS_BATCH = re.compile(r"Batch$")
_KEY_CONDITION = re.compile(r"(#?\w+)\s*=\s*(:\w+)")


class UnknownOperationError(Exception):
    """It isn't known which permissions an operation uses: say it in this module."""


class Resources(NamedTuple):
    """The ARNs of what a call names.

    Attributes:
        table, queue, function: return the ARN of a table's name or ARN, a queue's URL, a function's name or ARN.
        partition_key: returns the name of the partition key of a table, or of an index of it.
        deployments: the ARNs of CodeDeploy's groups, of which any may be whose deployment is told of.
    """

    table: Callable[[str], str]
    queue: Callable[[str], str]
    function: Callable[[str], str]
    partition_key: Callable[[str, str | None], str]
    deployments: Sequence[str] = ()


def uses(service: str, operation: str, arguments: Arguments, resources: Resources) -> list[Call]:
    """Return the permissions that an operation uses.

    Args:
        service: botocore's name of the service.
        operation: the API's name of the operation.
        arguments: as botocore was given them.
        resources: the ARNs of what they name.

    Raises:
        UnknownOperationError: it isn't known here.
    """
    kind = _SERVICES.get(service)
    if kind is None:
        raise UnknownOperationError(f"{service}: {operation}")
    return list(kind(operation, arguments, resources))


def _dynamodb(operation: str, arguments: Arguments, resources: Resources) -> Iterator[Call]:
    if operation in _KEYED:
        yield _item(operation, arguments, resources)
    elif operation in {"Query", "Scan"}:
        index = arguments.get("IndexName")
        arn = resources.table(arguments["TableName"]) + (f"/index/{index}" if index else "")
        key = resources.partition_key(arguments["TableName"], index)
        yield Call(f"dynamodb:{operation}", arn, _leading(_queried(arguments, key)))
    elif operation == "DescribeTable":
        yield Call("dynamodb:DescribeTable", resources.table(arguments["TableName"]))
    elif operation == "BatchGetItem":
        for table, asked in arguments["RequestItems"].items():
            key = resources.partition_key(table, None)
            yield Call(f"dynamodb:{operation}", resources.table(table), _leading([k[key] for k in asked["Keys"]]))
    elif operation in {"TransactWriteItems", "TransactGetItems"}:
        for part in arguments["TransactItems"]:
            ((kind, of),) = part.items()
            yield _item({"ConditionCheck": "ConditionCheckItem"}.get(kind, f"{kind}Item"), of, resources)
    else:
        raise UnknownOperationError(f"dynamodb: {operation}")


_KEYED = frozenset({"DeleteItem", "GetItem", "PutItem", "UpdateItem"})


def _item(action: str, arguments: Arguments, resources: Resources) -> Call:
    table = arguments["TableName"]
    key = (arguments.get("Key") or arguments.get("Item") or {})[resources.partition_key(table, None)]
    return Call(f"dynamodb:{action.removesuffix('Item')}Item", resources.table(table), _leading([key]))


def _queried(arguments: Arguments, key: str) -> list[Any]:
    """Return the partition key's value that a query names; none of a scan."""
    names = arguments.get("ExpressionAttributeNames") or {}
    for name, placed in _KEY_CONDITION.findall(str(arguments.get("KeyConditionExpression") or "")):
        if names.get(name, name) == key:
            return [arguments["ExpressionAttributeValues"][placed]]
    return []


def _leading(keys: Sequence[Any]) -> Context:
    """Return the leading keys as the condition has them; the resource API gives values, the client typed ones."""
    values = [str(next(iter(key.values())) if isinstance(key, Mapping) else key) for key in keys]
    return {"dynamodb:LeadingKeys": values} if values else {}


def _sqs(operation: str, arguments: Arguments, resources: Resources) -> Iterator[Call]:
    yield Call(f"sqs:{_SQS_BATCH.sub('', operation)}", resources.queue(arguments["QueueUrl"]))


def _lambda(operation: str, arguments: Arguments, resources: Resources) -> Iterator[Call]:
    action = {"Invoke": "InvokeFunction"}.get(operation, operation)
    if operation not in _LAMBDA:
        raise UnknownOperationError(f"lambda: {operation}")
    qualifier = arguments.get("Qualifier")
    # A request that names a version or an alias is allowed only by a statement that names it, too.
    yield Call(
        f"lambda:{action}", resources.function(arguments["FunctionName"]) + (f":{qualifier}" if qualifier else "")
    )


_LAMBDA = frozenset(
    {
        "CreateAlias",
        "DeleteFunction",
        "GetAlias",
        "Invoke",
        "ListAliases",
        "ListVersionsByFunction",
        "UpdateAlias",
    }
)


def _states(operation: str, arguments: Arguments, _: Resources) -> Iterator[Call]:
    if operation != "StartExecution":
        raise UnknownOperationError(f"stepfunctions: {operation}")
    yield Call("states:StartExecution", arguments["stateMachineArn"])


def _codedeploy(operation: str, _: Arguments, resources: Resources) -> Iterator[Call]:
    if operation != "PutLifecycleEventHookExecutionStatus":
        raise UnknownOperationError(f"codedeploy: {operation}")
    for arn in resources.deployments:
        yield Call(f"codedeploy:{operation}", arn)


def _cloudwatch(operation: str, _: Arguments, __: Resources) -> Iterator[Call]:
    if operation != "GetMetricData":
        raise UnknownOperationError(f"cloudwatch: {operation}")
    yield Call("cloudwatch:GetMetricData", "*")


_SERVICES: Mapping[str, Callable[[str, Arguments, Resources], Iterator[Call]]] = {
    "cloudwatch": _cloudwatch,
    "codedeploy": _codedeploy,
    "dynamodb": _dynamodb,
    "sqs": _sqs,
    "lambda": _lambda,
    "stepfunctions": _states,
}
