"""DynamoDB by moto, in LocalStack's own process: no Java and no download.

Selected by PROVIDER_OVERRIDE_DYNAMODB=moto. Three things are mended on the way:

- moto changes an item in several steps, without a lock, so that concurrent updates get lost: one call at a time.
- moto knows no TableId, which CloudFormation's AWS::DynamoDB::GlobalTable (CDK's TableV2) asks for.
- moto ignores TransactWriteItems' ClientRequestToken, so that a retried transaction is done twice.

DynamoDB Streams are not provided.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from typing import Any

from localstack.aws.api import RequestContext
from localstack.aws.api.dynamodb import DynamodbApi
from localstack.services.moto import MotoFallbackDispatcher
from localstack.services.plugins import Service, aws_provider

from tidegate_localstack import moto_tables
from tidegate_localstack.request_tokens import RequestTokens

Call = Callable[[RequestContext, Any], Any]


class MotoDynamoDBProvider(DynamodbApi):
    """Implements nothing: what a provider doesn't implement goes to moto."""


@aws_provider(api="dynamodb", name="moto")
def dynamodb_moto() -> Service:
    """Make the service."""
    moto_tables.mend()
    return Service.for_provider(MotoDynamoDBProvider(), dispatch_table_factory=dispatch_table)


def dispatch_table(provider: MotoDynamoDBProvider) -> dict[str, Call]:
    """Return each operation's implementation: moto's, mended."""
    table: dict[str, Call] = dict(MotoFallbackDispatcher(provider))
    for operation in ("CreateTable", "DescribeTable", "UpdateTable", "DeleteTable"):
        table[operation] = _with_table_id(table[operation])
    table["TransactWriteItems"] = _once(table["TransactWriteItems"])
    lock = threading.RLock()
    return {operation: _one_at_a_time(call, lock) for operation, call in table.items()}


def _one_at_a_time(call: Call, lock: threading.RLock) -> Call:
    def locked(context: RequestContext, request: Any) -> Any:
        with lock:
            return call(context, request)

    return locked


def _with_table_id(call: Call) -> Call:
    def identified(context: RequestContext, request: Any) -> Any:
        answer = call(context, request)
        table = answer.get("Table") or answer.get("TableDescription")
        if table and not table.get("TableId"):
            # The same whenever it is asked for, and another one if a table of this name is made again.
            made = f"{table['TableArn']}@{table.get('CreationDateTime')}"
            table["TableId"] = str(uuid.uuid5(uuid.NAMESPACE_URL, made))
        return answer

    return identified


def _once(call: Call) -> Call:
    tokens = RequestTokens()

    def rolled_back(context: RequestContext, request: Any) -> Any:
        with moto_tables.transaction(request["TransactItems"]):
            return call(context, request)

    def once(context: RequestContext, request: Any) -> Any:
        token = request.get("ClientRequestToken")
        if not token:
            return rolled_back(context, request)
        key = (context.account_id, context.region, token)
        if tokens.seen(key, request["TransactItems"]):
            return {"ConsumedCapacity": [], "ItemCollectionMetrics": {}}
        answer = rolled_back(context, request)
        tokens.remember(key, request["TransactItems"])
        return answer

    return once
