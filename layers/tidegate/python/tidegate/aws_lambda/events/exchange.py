"""One request to an ASGI application and its response, both whole, as Lambda's handlers take and return them."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import ASGIApp, Message

from tidegate.aws_lambda.events.response import Whole
from tidegate.telemetry import LOGGED, logger
from tidegate.web.problems import UNHANDLED, Problem, problem_headers


class Exchange:
    """Sends one request to an application.

    Args:
        scope: the request.
        body: its body.
    """

    def __init__(self, scope: dict[str, Any], body: bytes) -> None:
        self._scope = scope
        self._body: bytes | None = body
        self._status: int | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._pieces: list[bytes] = []
        self._ended = False
        self._end: asyncio.Event | None = None

    async def run(self, app: ASGIApp) -> Whole:
        """Return the application's response; a 500 if it sends none, or not all of one."""
        try:
            await app(self._scope, self._receive, self._send)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  the client must get a response after any
            if self._scope.get(LOGGED) is not error:
                logger().exception("unhandled exception", extra={"answered": self._ended})
        if self._status is None or not self._ended:
            return problem_answer(UNHANDLED)
        return Whole(self._status, self._headers, b"".join(self._pieces))

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        if not self._ended:
            self._end = self._end or asyncio.Event()
            await self._end.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start" and self._status is None:
            self._status, self._headers = message["status"], list(message.get("headers", ()))
        elif kind == "http.response.body" and self._status is not None:
            self._take(message)
        else:
            raise RuntimeError(f"unexpected ASGI message {kind!r}")

    def _take(self, message: Message) -> None:
        if self._ended:
            return
        self._pieces.append(bytes(message.get("body", b"")))
        if not message.get("more_body", False):
            self._ended = True
            if self._end is not None:
                self._end.set()


def problem_answer(problem: Problem) -> Whole:
    """Return a problem as a response."""
    return Whole(problem.status, problem_headers(problem), problem.body())
