"""A queued request's run as the guard sees it: whose it is, under which claim, and whether it may still begin.

It travels in the ASGI scope, beside the request. No client can write there: what comes over HTTP is in the scope's
headers, path and body, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from tidegate.asgi import respond
from tidegate.http import Problem, problem_type
from tidegate.identity import Caller

KEY = "tidegate.queued"


class QueuedRun:
    """One attempt to run a queued request through its application.

    Args:
        caller: who asked when it was accepted, and whose limits count.
        key: the idempotency key that it is claimed under.
        begin: marks the request as running; False if it was cancelled, has expired, or ran too often.

    Attributes:
        passes_in_us: set by the guard, if the limits refuse: when the same request could pass; None if it never will.
        begun: whether the application was reached.
        refused: whether it wasn't, because `begin` said no.
    """

    def __init__(self, caller: Caller, key: str, begin: Callable[[], Awaitable[bool]]) -> None:
        self.caller = caller
        self.key = key
        self._begin = begin
        self.passes_in_us: int | None = None
        self.begun = False
        self.refused = False

    def beginning(self, app: ASGIApp) -> ASGIApp:
        """Return the application with the begin before it: between the claim and the handler."""

        async def begin_first(scope: Scope, receive: Receive, send: Send) -> None:
            if not await self._begin():
                self.refused = True
                await respond(send, Problem(409, problem_type("request-not-queued"), "Not queued any more"))
                return
            self.begun = True
            await app(scope, receive, send)

        return begin_first


def queued_run(scope: Scope) -> QueuedRun | None:
    """Return the run that a request is, or None if it came over HTTP."""
    found = scope.get(KEY)
    return found if isinstance(found, QueuedRun) else None
