"""A server behind AWS Lambda Web Adapter: it reads in two fields what a handler has in its event and its context.

The adapter takes Lambda's events and sends each as an HTTP request to a server in the same sandbox. It writes the
event's `requestContext` into x-amzn-request-context and the invocation's context into x-amzn-lambda-context, in place
of whatever a client sent under these names. The guard puts both where `lambda_handler` puts them, `aws.event` and
`aws.context` of the scope, so that everything behind it is one code.

Nobody outside of a sandbox can connect to a server in it. So the fields are believed only there, and only if the
adapter is known to be in front (`Runtime.web_adapter`). Anywhere else they are text that a client wrote.

Source: `fetch_response` in src/lib.rs of awslabs/aws-lambda-web-adapter, 1.0.0-rc1: `HeaderMap::insert` replaces.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from typing import Any

from starlette.types import Scope

from tidegate.runtime import on_managed_instances
from tidegate.telemetry import logger

EVENT_FIELD, CONTEXT_FIELD = b"x-amzn-request-context", b"x-amzn-lambda-context"


class AdapterContext:
    """An invocation's context, as far as the adapter tells it.

    It has no `invoked_function_arn`: of the event there is a part only, so it can't be sent to another invocation.

    Args:
        request_id: the invocation's id.
        ends_ms: when Lambda ends it, in epoch milliseconds.
        concurrent: whether this environment may run other invocations at the same time.
    """

    __slots__ = ("_ends_ms", "aws_request_id", "concurrent")

    def __init__(self, request_id: str, ends_ms: int, *, concurrent: bool = False) -> None:
        self.aws_request_id = request_id
        self.concurrent = concurrent
        self._ends_ms = ends_ms

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda ends the invocation; 0 if that is past."""
        return max(0, self._ends_ms - int(time.time() * 1000))


class WebAdapter:
    """Reads the adapter's fields, if they are to be believed.

    Args:
        believed: whether the adapter is in front.
        restored: called before the first invocation if this environment is a copy of a snapshot. Behind the adapter
            no hook of the runtime is run after a restore, and no snapshot is made after an invocation.
    """

    def __init__(self, *, believed: bool, restored: Callable[[], None]) -> None:
        self._believed = believed
        self._restored = restored
        self._from_snapshot = os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start"
        self._concurrent = on_managed_instances(os.environ)
        self._warned = False

    def tell(self, scope: Scope) -> None:
        """Add to a request's scope what the adapter says of its invocation."""
        fields = [(name, value) for name, value in scope["headers"] if name in {EVENT_FIELD, CONTEXT_FIELD}]
        if not fields:
            return  # the adapter's own check whether the server is ready
        if not self._believed:
            self._warn()
            return
        if len(fields) != len({name for name, _ in fields}):
            return  # the adapter writes each once
        told = {name: _object(value) for name, value in fields}
        if event := told.get(EVENT_FIELD):
            scope["aws.event"] = {"requestContext": event}
        if context := _context(told.get(CONTEXT_FIELD, {}), concurrent=self._concurrent):
            scope["aws.context"] = context
        if self._from_snapshot:
            self._from_snapshot = False
            self._restored()

    def _warn(self) -> None:
        if self._warned:
            return
        self._warned = True
        logger().warning(
            "a field of AWS Lambda Web Adapter is ignored, since nothing says that the adapter is in front of this "
            "server: callers count by their addresses; if it is, write TIDEGATE_LAMBDA_WEB_ADAPTER=1, if not, 0"
        )


def _object(value: bytes) -> dict[str, Any]:
    """Return a field's JSON object; an empty one for anything else, such as the `null` of an event without HTTP."""
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _context(told: dict[str, Any], *, concurrent: bool) -> AdapterContext | None:
    ends_ms, request_id = told.get("deadline"), told.get("request_id")
    if type(ends_ms) is not int or not isinstance(request_id, str):
        return None
    return AdapterContext(request_id, ends_ms, concurrent=concurrent)
