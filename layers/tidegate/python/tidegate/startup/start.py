"""The life of an application on a server: an error in its protection shows at start, and its end hands all over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tidegate.aws_lambda.lifespan import IN_FUNCTION
from tidegate.errors import ConfigurationError
from tidegate.routing import RouteTable
from tidegate.telemetry import logger
from tidegate.web.shield import ended_runs

if TYPE_CHECKING:
    from tidegate.compose import Lifecycle

# For runs whose clients have left. Servers wait for the others themselves.
_RUNS_END_WITHIN_S = 10.0
_NO_ASYNCIO = (
    "Tidegate needs asyncio, and this server's worker runs another event loop; start it with an asyncio or uvloop "
    "worker, such as hypercorn --worker-class asyncio"
)


class Start:
    """Runs an application's lifespan, checks its routes before and after its start-up, and closes the environment.

    The start-up may add routes. An error is reported by a message of the lifespan protocol. From a bare exception a
    server would conclude that the application has no lifespan, and serve it.

    Servers run the shutdown when no request runs any more. Then the counts are handed over, the slots and leases given
    back, and the connections closed. In a function `aws_lambda.signals` does that, within Lambda's own time. There the
    shutdown runs inside of a signal's handler, which can wait for no thread.

    Args:
        app: the application.
        routes: makes the route table, or makes it anew if the routes have changed.
        lifecycle: holds the environment's parts.
    """

    def __init__(self, app: ASGIApp, routes: Callable[[], RouteTable], lifecycle: Lifecycle) -> None:
        self._app = app
        self._routes = routes
        self._lifecycle = lifecycle
        self._wrong: ConfigurationError | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Start the application, and stop it when the server says so.

        Raises:
            ConfigurationError: a route's policy can't hold; the server has got it as a message.
        """
        try:
            _check_loop()
            self._routes()
        except ConfigurationError as error:
            await receive()
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            raise

        on_server = IN_FUNCTION not in scope

        async def send_checked(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                self._check()
            elif self._wrong is not None and message["type"] == "lifespan.startup.failed":
                message = {**message, "message": str(self._wrong)}
            elif on_server and message["type"].startswith("lifespan.shutdown."):
                await asyncio.to_thread(self._lifecycle.end)
            await send(message)

        async def receive_in_turn() -> Message:
            message = await receive()
            if on_server and message["type"] == "lifespan.shutdown":
                await self._wait_for_runs()
            return message

        await self._app(scope, receive_in_turn, send_checked)

    def _check(self) -> None:
        try:
            self._routes()
        except ConfigurationError as error:  # raised into the application's lifespan, which cleans up and reports it
            self._wrong = error
            raise

    async def _wait_for_runs(self) -> None:
        """Wait for idempotent handlers whose clients have left, before the application closes what they use."""
        left = await ended_runs(_RUNS_END_WITHIN_S)
        if left:
            logger().warning("handlers still run at the server's end; their claims expire", extra={"handlers": left})


def _check_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigurationError("event loop", _NO_ASYNCIO) from None
