"""Who may ask the console: only pages that it served, from this machine, with its token.

The server is bound to loopback, but any page that a browser shows can send requests there. A page of another origin
doesn't know the token; a name that is made to point to 127.0.0.1 (DNS rebinding) is no host of ours.
"""

import json
from hmac import compare_digest
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

API = "/api/"
_NOT_OURS = "This is not an address of the console. Open the one that `tidegate console` printed."
_NO_TOKEN = "The console's token is missing or not this one's. Open the address that `tidegate console` printed."  # noqa: S105 - a message
_FOREIGN = "Only the console's own page may do that. Open the address that `tidegate console` printed."
# Nothing but what the console itself serves is loaded, or may show the page in a frame.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_FIELDS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class Guarded:
    """Asks for host, token and origin before the app is asked for anything; `hosts` are ours, as in a Host field."""

    def __init__(self, app: ASGIApp, *, token: str, hosts: frozenset[str]) -> None:
        self._app = app
        self._token = token.encode()
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse with 403, or let the request through; every answer says what a browser may do with it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = {name for name, _ in message["headers"]}
                added = [(n.encode(), v.encode()) for n, v in _FIELDS.items() if n.encode() not in said]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        refused = self._refused(scope)
        if refused is None:
            await self._app(scope, receive, told)
            return
        body = json.dumps({"detail": refused}).encode()
        fields = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await told({"type": "http.response.start", "status": 403, "headers": fields})
        await told({"type": "http.response.body", "body": body})

    def _refused(self, scope: Scope) -> str | None:
        fields = {name: value.decode("latin-1") for name, value in scope["headers"]}
        if fields.get(b"host", "").lower() not in self._hosts:
            return _NOT_OURS
        if scope["path"].startswith(API) and not compare_digest(_token(scope, fields), self._token):
            return _NO_TOKEN
        ours = {f"http://{host}" for host in self._hosts}
        if scope["method"] not in {"GET", "HEAD"} and fields.get(b"origin", "").lower() not in ours:
            return _FOREIGN
        return None


def _token(scope: Scope, fields: dict[bytes, str]) -> bytes:
    """The token of a request: in its Authorization field, or, as an EventSource can set none, in its query."""
    kind, _, given = fields.get(b"authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return given.strip().encode()
    if scope["method"] != "GET":
        return b""
    asked = parse_qs(str(scope["query_string"], "latin-1"))
    return asked.get("token", [""])[0].encode()
