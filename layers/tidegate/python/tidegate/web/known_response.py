"""A request whose response is known already: it runs through the application up to its handler, and no further.

The application's authentication, dependencies and validation decide who may read a response. They run as for a first
request, and respond themselves if they refuse it. If they pass it, the policy's wrapper replaces the handler (see
`enforcement`), and the known response is sent.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tidegate.enforcement import Execution, execution
from tidegate.policy import Policy
from tidegate.telemetry import logger
from tidegate.web.problems import Headers
from tidegate.web.recorded_scope import recorded, tell_route
from tidegate.web.stored_response import StoredResponse

# CORS fields, which a middleware within the guard makes for the origin of this request, not of the first one.
_TO_THE_ORIGIN = b"access-control-"


class StandingIn:
    """One such run of the application.

    Args:
        app: the application.
        policy: the route's.
        send: sends the application's own response, if it refuses the request.

    Attributes:
        fields: the header fields of the application's response, once the request has reached the handler's wrapper.
    """

    def __init__(self, app: ASGIApp, policy: Policy, send: Send) -> None:
        self._app = app
        self._send = send
        self._run = Execution(policy, known=True)
        self.fields: Headers = ()

    async def run(self, scope: Scope, receive: Receive) -> bool:
        """Run the application; False if it has responded itself.

        Raises:
            Exception: the application raised it before its handler.
        """
        token = execution.set(self._run)
        inner = recorded(scope)

        async def passing(message: Message) -> None:
            tell_route(scope, inner)
            await self._pass(message)

        try:
            await self._app(inner, receive, passing)
        except Exception as error:
            if not self._run.reached:
                raise
            logger().exception("a dependency's exit failed", extra={"error": type(error).__name__})
        finally:
            execution.reset(token)
        return self._run.reached

    async def _pass(self, message: Message) -> None:
        if not self._run.reached:
            await self._send(message)
        elif message["type"] == "http.response.start":
            self.fields = tuple((bytes(name).lower(), bytes(value)) for name, value in message.get("headers", ()))


def readdressed(response: StoredResponse, fields: Headers) -> StoredResponse:
    """Return a stored response with the CORS fields that middlewares within the guard made for this request."""
    if not any(name.startswith(_TO_THE_ORIGIN) for name, _ in (*response.headers, *fields)):
        return response
    kept = (field for field in response.headers if not field[0].startswith(_TO_THE_ORIGIN))
    return response._replace(headers=(*kept, *(field for field in fields if field[0].startswith(_TO_THE_ORIGIN))))
