"""The answer to an exception that the application didn't handle."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import Receive, Scope

from tidegate.asgi import Captured, Outgoing, respond
from tidegate.http import Problem
from tidegate.telemetry import logger


async def answer_unhandled(error: Exception, scope: Scope, receive: Receive, send: Captured | Outgoing) -> None:
    """Answer as the application chose for its unhandled exceptions, or with a 500 that says nothing inward."""
    handlers = getattr(scope.get("app"), "exception_handlers", {})
    handler = handlers.get(Exception) or handlers.get(500)
    if handler is not None:
        try:
            response = handler(Request(scope), error)
            response = await response if hasattr(response, "__await__") else response
            await response(scope, receive, send)
        except Exception:  # noqa: BLE001  the handler of last resort has failed, too; ours is behind it
            logger().exception("the application's own handler of exceptions failed")
    if not send.started:
        await respond(
            send, Problem(500, "about:blank", "Internal Server Error", "The request failed; it has been logged.")
        )
