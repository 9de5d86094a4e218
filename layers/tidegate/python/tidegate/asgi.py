"""The ASGI side of the guard: watching and capturing what an application sends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.types import Message, Send

from tidegate.http import Headers, Problem, may_carry_fields, problem_headers
from tidegate.record import StoredResponse


class Outgoing:
    """The way to the client: adds fields to whatever is answered, and knows how far the answer has got.

    Args:
        send: the server's.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self.fields: Headers = ()
        self.always: Headers = ()  # of every answer, a redirection, too
        self.gone = False  # nobody waits for the answer any more; what is sent is dropped
        self.status: int | None = None

    @property
    def started(self) -> bool:
        """Whether the client has seen a status."""
        return self.status is not None

    def __call__(self, message: Message) -> Awaitable[None]:
        """Pass a message on; the first one gets the fields."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            fields = (*self.always, *self.fields) if may_carry_fields(message["status"]) else self.always
            if fields:
                message = {**message, "headers": [*message.get("headers", ()), *fields]}
        return _dropped() if self.gone else self._send(message)


async def _dropped() -> None:
    """Send nothing: nobody is there."""


class Captured:
    """Takes an application's answer instead of the client.

    Args:
        deliver: called with the answer as soon as it is whole, while background tasks may still run.
    """

    def __init__(self, deliver: Callable[[StoredResponse], Awaitable[None]]) -> None:
        self._deliver = deliver
        self._status: int | None = None
        self._headers: Headers = ()
        self._body = bytearray()
        self.complete = False

    async def __call__(self, message: Message) -> None:
        """Keep what the application sends."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = tuple((bytes(n), bytes(v)) for n, v in message.get("headers", ()))
        elif message["type"] == "http.response.body":
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                self.complete = True
                await self._deliver(StoredResponse(self._status or 500, self._headers, bytes(self._body)))

    @property
    def started(self) -> bool:
        """Whether the application has sent a status."""
        return self._status is not None


async def send_whole(send: Send, response: StoredResponse, *more: tuple[bytes, bytes]) -> None:
    """Send a response that is known whole, with further fields."""
    headers = [*response.headers, *more]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body or b"", "more_body": False})


async def respond(send: Send, problem: Problem) -> None:
    """Send a problem."""
    await send_whole(send, StoredResponse(problem.status, problem_headers(problem), problem.body()))
