"""The edge as ASGI middleware: a request that it refuses never reaches the application."""

import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from tidegate_local.edge.facts import Answer
from tidegate_local.edge.rules import Rules

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_KEY = b"x-api-key"
_REQUEST_ID = "$context.requestId"
# What API Gateway says where the API has no answer of its own.
_PLAIN = Answer(403, {"Content-Type": "application/json"}, '{"message": "Forbidden"}')


class Edge:
    """Asks the rules about each HTTP request."""

    def __init__(self, app: Application, rules: Rules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let it through, or answer it."""
        refused = self._refusal(scope) if scope["type"] == "http" else None
        if refused is None:
            await self._app(scope, receive, send)
            return
        answer = self._rules.facts.answers.get(refused, _PLAIN)
        request_id = str(uuid.uuid4())
        body = answer.body.replace(_REQUEST_ID, request_id).encode()
        headers = {**answer.headers, "Content-Length": str(len(body)), "x-amzn-RequestId": request_id}
        await send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            }
        )
        await send({"type": "http.response.body", "body": body})

    def _refusal(self, scope: Scope) -> str | None:
        keys = [value.decode("latin-1") for name, value in scope["headers"] if name.lower() == _KEY]
        return self._rules.refusal(scope["method"], scope["path"], keys[0] if keys else None)
