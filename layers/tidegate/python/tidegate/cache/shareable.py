"""Whether a request's response can be shared with others, and the scope that they have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.types import Message, Receive, Scope

from tidegate.cache.conditional import CONDITIONS
from tidegate.routing import RoutePolicy, RouteTable

_LENGTH, _CODING, _RANGE = b"content-length", b"transfer-encoding", b"range"


def is_for_one(scope: Mapping[str, Any]) -> bool:
    """Whether a request's response is for it alone: it asks for a range, or has a body, which is in no key."""
    for name, value in scope["headers"]:
        if name in {_RANGE, _CODING} or (name == _LENGTH and value.strip() != b"0"):
            return True
    event = scope.get("aws.event")
    return isinstance(event, Mapping) and bool(event.get("body"))


def as_get(scope: Scope, route: RoutePolicy, routes: RouteTable, *, conditional: bool) -> Scope:
    """Return the scope that requests for the same response have in common.

    It has no conditions (see `conditional`). Where one cached handler serves GET and HEAD, a HEAD becomes a GET whose
    body isn't sent, as in nginx and Varnish: so it has the GET's fields, ETag included, and shares its copy.
    """
    asked = scope
    if conditional:
        headers = [(name, value) for name, value in scope["headers"] if name not in CONDITIONS]
        asked = {**scope, "headers": headers}
    if scope["method"] == "HEAD" and route.policy.cache is not None:
        get = {**asked, "method": "GET"}
        found = routes.find(get)
        if found.policy is route.policy:
            return get
    return asked


class Watched:
    """Passes a request's body on, and notes whether there was one, because its fields don't always say so.

    Args:
        receive: the request's.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.has_body = False

    async def __call__(self) -> Message:
        """Receive the next message."""
        message = await self._receive()
        if message["type"] == "http.request" and message.get("body"):
            self.has_body = True
        return message
