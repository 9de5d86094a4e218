"""An application's start-up and shutdown without a server: once for each environment, on its one loop.

Each request gets a shallow copy of the state that start-up made, as from servers (ASGI's lifespan protocol, version
2.0). If start-up fails, its error is raised: the environment doesn't begin, and the next one tries again.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from starlette.types import ASGIApp, Message

from tidegate.errors import StartupError
from tidegate.telemetry import logger

# The mark in the scope of a lifespan that a function's handler runs, for the guard.
IN_FUNCTION = "tidegate.function"
# Of the 300 ms between Lambda's two signals; in the rest the environment closes its own parts.
SHUTDOWN_WITHIN_S = 0.12


def has_lifespan(app: Any) -> bool:
    """Return whether an application may have a lifespan; False only if it surely has none."""
    router = getattr(app, "router", None)
    if type(getattr(router, "lifespan_context", None)).__name__ != "_DefaultLifespan":
        return True
    return bool(getattr(router, "on_startup", None) or getattr(router, "on_shutdown", None))


class Lifespan:
    """One application's life in this environment.

    Args:
        app: the application.
        loop: the event loop on which its requests run.

    Attributes:
        state: the state that its start-up made, for each request.
    """

    def __init__(self, app: ASGIApp, loop: asyncio.AbstractEventLoop) -> None:
        self.state: dict[str, Any] = {}
        self._app = app
        self._loop = loop
        self._task: asyncio.Task[None] | None = None
        self._asked = False
        self._begun: asyncio.Future[None] = loop.create_future()
        self._ending: asyncio.Future[None] = loop.create_future()
        self._failure: str | None = None

    def start(self) -> None:
        """Run start-up to its end.

        Raises:
            StartupError: start-up reported a failure by a message.
            Exception: start-up's own exception.
        """
        self._task = task = self._loop.create_task(self._run())
        # An environment may end without a signal; its pending task then isn't worth a log line.
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001  as asyncio's own gather does
        self._loop.run_until_complete(asyncio.wait({task, self._begun}, return_when=asyncio.FIRST_COMPLETED))
        if task.done() and (error := task.exception()) is not None and not self._is_unknown_to(error):
            raise error
        if self._failure is not None:
            task.cancel()
            raise StartupError(self._failure)

    def stop(self, within_s: float) -> None:
        """Run shutdown for at most so many seconds; blocks. In the middle of a request it does nothing."""
        task = self._task
        if task is None or task.done() or self._loop.is_closed() or self._loop.is_running():
            return
        if not self._ending.done():
            self._ending.set_result(None)
        self._loop.run_until_complete(asyncio.wait({task}, timeout=within_s))
        if not task.done():
            logger().warning("the application's shutdown took too long", extra={"seconds": within_s})
            task.cancel()
            with suppress(asyncio.CancelledError):
                self._loop.run_until_complete(asyncio.wait({task}, timeout=0))
        elif not task.cancelled() and (error := task.exception()) is not None:
            logger().error("the application's shutdown failed", exc_info=error)

    def _is_unknown_to(self, error: BaseException) -> bool:
        """Return whether the application has no lifespan: it raised before it received a message, as servers decide."""
        return not self._asked and isinstance(error, Exception)

    async def _run(self) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
            IN_FUNCTION: True,
        }
        await self._app(scope, self._receive, self._send)

    async def _receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "lifespan.startup"}
        await self._ending
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "lifespan.startup.failed":
            self._failure = str(message.get("message") or "the application's start-up failed")
        # Nobody asked for a shutdown where the environment is only dropped, its task with it.
        if kind == "lifespan.shutdown.failed" and self._ending.done():
            logger().error("the application's shutdown failed", extra={"detail": str(message.get("message"))[:2000]})
        if kind in {"lifespan.startup.complete", "lifespan.startup.failed"} and not self._begun.done():
            self._begun.set_result(None)
