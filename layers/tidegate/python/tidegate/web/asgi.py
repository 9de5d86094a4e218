"""The ASGI side of the guard: watching and capturing what an application sends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from starlette.types import Message, Send

from tidegate.web.body import Body
from tidegate.web.problems import Headers, Problem, may_carry_fields, problem_headers
from tidegate.web.stored_response import LARGEST_INFLATED_BYTES, StoredResponse


class Way(Protocol):
    """A `send` that is used for a limited time."""

    async def __call__(self, message: Message) -> None:
        """Send a message."""

    def close(self) -> None:
        """End its use."""


class ResponseSender:
    """The `send` to the client: adds fields to every response, and keeps track of how much is sent.

    Args:
        send: the server's.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self.fields: Headers = ()
        self.always: Headers = ()  # for every response, redirections included
        self.before: Callable[[Message], Awaitable[None]] | None = None  # awaited before the status is sent
        self.gone = False  # the client has gone, and messages are dropped
        self.status: int | None = None

    @property
    def started(self) -> bool:
        """Whether a status was sent."""
        return self.status is not None

    def __call__(self, message: Message) -> Awaitable[None]:
        """Pass a message on; the first one gets the fields."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            fields = (*self.always, *self.fields) if may_carry_fields(message["status"]) else self.always
            if fields:
                message = {**message, "headers": [*message.get("headers", ()), *fields]}
            if self.before is not None:
                return self._after(self.before(message), message)
        return _dropped() if self.gone else self._send(message)

    async def _after(self, first: Awaitable[None], message: Message) -> None:
        await first
        await (_dropped() if self.gone else self._send(message))

    @contextmanager
    def through(self, way: Callable[[Send], Way]) -> Iterator[None]:
        """Send through another `send` within the block, and close that at its end."""
        before, taken = self._send, way(self._send)
        self._send = taken
        try:
            yield
        finally:
            self._send = before
            taken.close()


async def _dropped() -> None:
    """Send nothing, as the client has gone."""


class ResponseRecorder:
    """Records an application's response instead of sending it; close it at last.

    Args:
        deliver: called with the response as soon as it is whole, while background tasks may still run.
        held_bytes: a longer body isn't kept: it goes to a temporary file, from which it is sent once.
    """

    def __init__(
        self, deliver: Callable[[StoredResponse], Awaitable[None]], held_bytes: int = LARGEST_INFLATED_BYTES
    ) -> None:
        self._deliver = deliver
        self._status: int | None = None
        self._headers: Headers = ()
        self._body = Body(held_bytes)
        self.complete = False

    async def __call__(self, message: Message) -> None:
        """Record a message."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = tuple((bytes(n), bytes(v)) for n, v in message.get("headers", ()))
        elif message["type"] == "http.response.body":
            self._body.append(message.get("body", b""))
            if not message.get("more_body", False):
                self.complete = True
                body = self._body.held()
                overlong = self._body if body is None else None
                if body is not None:
                    self._body.close()  # background tasks may run for long
                await self._deliver(StoredResponse(self._status or 500, self._headers, body, overlong=overlong))

    @property
    def started(self) -> bool:
        """Whether the application has sent a status."""
        return self._status is not None

    def close(self) -> None:
        """Forget the body."""
        self._body.close()


async def send_whole(send: Send, response: StoredResponse, *more: tuple[bytes, bytes]) -> None:
    """Send a whole response, with further fields."""
    headers = [*response.headers, *more]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if response.overlong is not None:
        for piece in response.overlong.pieces():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            await asyncio.sleep(0)  # a server needn't wait in `send`, as when the client has gone
    await send({"type": "http.response.body", "body": response.body or b"", "more_body": False})


async def respond(send: Send, problem: Problem) -> None:
    """Send a problem."""
    await send_whole(send, StoredResponse(problem.status, problem_headers(problem), problem.body()))
