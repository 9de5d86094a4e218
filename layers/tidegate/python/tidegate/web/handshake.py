"""The handshake of a websocket, which is limited like a request, and refused before it is accepted.

Source: the ASGI specification of websockets, with its extension `websocket.http.response` (Websocket Denial Response).
A server without it responds to a close before the accept with 403.
"""

from __future__ import annotations

from starlette.types import Message, Receive, Scope, Send

from tidegate.errors import TidegateError
from tidegate.web.asgi import ResponseSender

_EXTENSION = "websocket.http.response"
# RFC 6455, section 7.4.1: policy violation. 1013, "try again later", can't be sent before the accept either.
_POLICY_VIOLATED = 1008


class Handshake(ResponseSender):
    """The `send` to a client that asks for a websocket; it sends an HTTP response as a refusal.

    Args:
        scope: the socket's.
        receive: the server's.
        send: the server's.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(self._translated)
        self._receive = receive
        self._to_server = send
        self._can_deny = _EXTENSION in (scope.get("extensions") or {})

    async def _translated(self, message: Message) -> None:
        kind = message["type"]
        if kind == "websocket.accept":
            self.status = 101
            message = {**message, "headers": [*message.get("headers", ()), *self.fields]}
        elif kind == "http.response.start":
            connect = await self._receive()
            if connect["type"] != "websocket.connect":
                raise TidegateError(f"the server began a websocket with {connect['type']}")
            if not self._can_deny:
                message = {"type": "websocket.close", "code": _POLICY_VIOLATED, "reason": str(message["status"])}
        elif kind == "http.response.body" and not self._can_deny:
            return
        if self._can_deny and kind.startswith("http.response."):
            message = {**message, "type": f"websocket.{kind}"}
        await self._to_server(message)
