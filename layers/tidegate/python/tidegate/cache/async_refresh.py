"""`refresh="async"`: another invocation of the function makes the new copy, while this one gives the old one.

Lambda freezes an environment after its response, and a background task with it. So the work goes through Lambda's own
queue of asynchronous invocations. The event is that of the request, with one more member, `tidegate.refresh`: the lease
under which the invocation writes. No client can set it, because API Gateway makes the event, and a client's data lies
in members of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from tidegate.forks import call_in_children
from tidegate.stores.dynamodb.client import session
from tidegate.telemetry import logger

MARK = "tidegate.refresh"
_CONNECT_S, _READ_S = 0.5, 1.0


def invoke_refresh(scope: Mapping[str, Any], lease: str) -> bool:
    """Ask Lambda for another invocation, which makes the new copy; blocks.

    The function's role needs `lambda:InvokeFunction` on the function itself.

    Args:
        scope: the request's ASGI scope, with Mangum's event and context.
        lease: the token of the lease under which it writes.

    Returns:
        False off Lambda, or if Lambda didn't accept it: then the caller makes the copy.
    """
    event, context = scope.get("aws.event"), scope.get("aws.context")
    function = getattr(context, "invoked_function_arn", None)
    if not event or not function:
        return False
    try:
        _client(function.split(":")[3]).invoke(
            FunctionName=function, InvocationType="Event", Payload=json.dumps({**event, "body": None, MARK: lease})
        )
    except Exception as error:  # noqa: BLE001  whatever botocore raises, the copy is then made here
        logger().warning("no invocation for a refresh", extra={"function": function, "detail": str(error)[:200]})
        return False
    return True


@cache
def _client(region: str) -> Any:
    from botocore.config import Config  # noqa: PLC0415  a cold start's, and only what refreshes so needs it

    config = Config(connect_timeout=_CONNECT_S, read_timeout=_READ_S, retries={"total_max_attempts": 1})
    return session().create_client("lambda", region_name=region, config=config)


call_in_children(_client.cache_clear)
