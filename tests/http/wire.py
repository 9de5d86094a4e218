"""An application called as an ASGI server calls it, message by message: what a client library would hide."""

import asyncio
from typing import Any

from starlette.types import ASGIApp, Message, Scope


def http_scope(method: str, path: str, headers: dict[str, str] | None = None, **more: Any) -> Scope:
    fields = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode("utf-8"),
        "root_path": "",
        "scheme": "http",
        "query_string": b"",
        "headers": fields,
        "client": ("192.0.2.1", 50000),
        "server": ("127.0.0.1", 80),
        **more,
    }


class Call:
    """One call under way: what was received so far, and what it ended with."""

    def __init__(self, app: ASGIApp, scope: Scope, *, body: bytes = b"") -> None:
        self.sent: list[Message] = []
        self._changed = asyncio.Event()
        self._requests = [{"type": "http.request", "body": body, "more_body": False}]
        self._gone = asyncio.Event()
        self.task = asyncio.ensure_future(app(scope, self._receive, self._send))

    async def until(self, seen: str, *, within_s: float = 10.0) -> None:
        """Return when the client has received these bytes of the body; TimeoutError if it doesn't."""
        async with asyncio.timeout(within_s):
            while seen.encode() not in self.body:
                self._changed.clear()
                await self._changed.wait()

    def leave(self) -> None:
        """The client goes away."""
        self._gone.set()

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    async def _receive(self) -> Message:
        if self._requests:
            return self._requests.pop()
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        self.sent.append(message)
        self._changed.set()


async def call(app: ASGIApp, method: str, path: str, *, body: bytes = b"", **more: Any) -> Call:
    """Make a call and wait for its end."""
    made = Call(app, http_scope(method, path, **more), body=body)
    await asyncio.wait_for(made.task, 10)
    return made
