"""Invalidation by unsafe requests: a successful one voids the copies of its target, for all callers.

It also voids the copies of `Location` and `Content-Location`, if they are of the same origin. Source: RFC 9111, 4.4.
Copies are voided by path, so a change to `/products/1?notify=1` also voids `/products/1?page=2`. The client gets its
response afterwards, so that it reads its own write.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urljoin, urlsplit

from starlette.types import Message

from tidegate.admission import Admission
from tidegate.cache.invalidation import Invalidator
from tidegate.cache.target import normal_host
from tidegate.environment import Environment
from tidegate.routing import RouteTable, path_of

_LOCATIONS = frozenset({b"location", b"content-location"})


def cached_at(routes: RouteTable, path: str) -> str | None:
    """Return the template of the cached route that serves a GET of this path; None if there is none."""
    found = routes.find({"type": "http", "method": "GET", "path": path, "root_path": "", "headers": []})
    return None if found.policy.cache is None else found.route


def invalidator_of(environment: Environment, routes: RouteTable, path: str | None) -> Invalidator:
    """Return a handler's invalidator, which also voids the path that the request changes, in the same round trip."""
    return Invalidator(environment, routes, path if path is not None and cached_at(routes, path) is not None else None)


class Changes:
    """Voids the copies of what one unsafe request has changed, before its client gets the response.

    Args:
        routes: the application's.
        scope: the request's, before it is routed.
        path: the request's, as the routes match it.
        admission: the request's; where the handler has invalidated by itself, the request's path is void already.
    """

    def __init__(self, routes: RouteTable, scope: Mapping[str, Any], path: str, admission: Admission) -> None:
        self._routes = routes
        self._path = path
        self._admission = admission
        self._origin = _Origin.of(scope)

    async def __call__(self, message: Message) -> None:
        """Take the start of a response."""
        if not 200 <= message["status"] < 400 or self._admission.voider is None:
            return
        paths = [] if self._admission.invalidated else [self._path]
        for name, value in message.get("headers", ()):
            if bytes(name).lower() in _LOCATIONS:
                located = self._origin.path_of(bytes(value).decode("latin-1"))
                paths += [] if located is None else [located]
        cached = {path: route for path in paths if (route := cached_at(self._routes, path)) is not None}
        if cached:
            await self._admission.voider().void_paths(cached, cached.values())


class _Origin(NamedTuple):
    """The origin and path of a request: the base of the references in its response."""

    scheme: str
    host: str
    path: str
    root_path: str

    @classmethod
    def of(cls, scope: Mapping[str, Any]) -> _Origin:
        host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "localhost")
        scheme = str(scope.get("scheme", "http"))
        return cls(scheme, normal_host(host, scheme), str(scope["path"]), str(scope.get("root_path", "")))

    def path_of(self, reference: str) -> str | None:
        """Return the path that a reference resolves to, as the routes match it; None if it is of another origin."""
        try:
            led = urlsplit(urljoin(f"{self.scheme}://{self.host}{quote(self.path)}", reference.strip()))
        except ValueError:
            return None
        if led.scheme != self.scheme or normal_host(led.netloc, led.scheme) != self.host:
            return None
        return path_of({"path": unquote(led.path), "root_path": self.root_path})
