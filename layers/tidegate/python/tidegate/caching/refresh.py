"""`refresh="async"`: the new copy is made by another invocation of the function, while this one gives the old one.

Work that goes on after the answer is frozen with its environment, so there is no background task; Lambda's own queue
is asked instead. The invocation's event is the request's own with one member more, `tidegate.refresh`: the lease under
which it writes. No client can put it there: API Gateway makes the event, and what clients send is below it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from tidegate.stores.aws import session
from tidegate.telemetry import logger

MARK = "tidegate.refresh"
_CONNECT_S, _READ_S = 0.5, 1.0


def invoke_refresh(scope: Mapping[str, Any], lease: str) -> bool:
    """Ask Lambda for another invocation, which makes the new copy; blocks.

    The function's role needs `lambda:InvokeFunction` on the function itself.

    Args:
        scope: the request's ASGI scope, with Mangum's event and context.
        lease: the token of the lease that it is to write under.

    Returns:
        False off Lambda, or if Lambda didn't take it: then the copy is made here.
    """
    event, context = scope.get("aws.event"), scope.get("aws.context")
    function = getattr(context, "invoked_function_arn", None)
    if not event or not function:
        return False
    try:
        _client(function.split(":")[3]).invoke(
            FunctionName=function, InvocationType="Event", Payload=json.dumps({**event, "body": None, MARK: lease})
        )
    except Exception as error:  # noqa: BLE001  botocore's, whatever it is: the copy is made here, then
        logger().warning("no invocation for a refresh", extra={"function": function, "detail": str(error)[:200]})
        return False
    return True


@cache
def _client(region: str) -> Any:
    from botocore.config import Config  # noqa: PLC0415  a cold start's, and only what refreshes so needs it

    config = Config(connect_timeout=_CONNECT_S, read_timeout=_READ_S, retries={"total_max_attempts": 1})
    return session().create_client("lambda", region_name=region, config=config)
