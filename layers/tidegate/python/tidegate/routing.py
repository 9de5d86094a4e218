"""Which route a request is for, and so which policy: found before the application routes it itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple

from fastapi import FastAPI
from fastapi import routing as fastapi_routing
from starlette.routing import BaseRoute, Mount, compile_path

from tidegate.errors import ConfigurationError
from tidegate.identity import Scope
from tidegate.policy import Policy, marks_execution, policy_of

UNMATCHED = "*"

_PARAMETER = re.compile(r"\{[a-zA-Z_]\w*")


@dataclass(frozen=True, slots=True, eq=False)
class RoutePolicy:
    """A route's name and what it asks for; one object per route and method, told apart by identity.

    Attributes:
        route: the path's template, such as `/v1/orders/{id}`, or `UNMATCHED`.
        method: the request's method, or `UNMATCHED`.
        policy: what applies.
    """

    route: str
    method: str
    policy: Policy


class _Entry(NamedTuple):
    pattern: re.Pattern[str]
    template: str
    policy: Policy
    by_method: Mapping[str, RoutePolicy]

    def route(self, method: str) -> RoutePolicy | None:
        return self.by_method.get(method) or self.by_method.get(UNMATCHED)


class RouteTable:
    """The application's routes with their policies, in the order in which it matches them.

    Args:
        app: the application; read once, when the table is made.
        default: the policy of routes without one, and of paths and methods that match no route.

    Raises:
        ConfigurationError: a policy with claims was written above its route's decorator.
    """

    def __init__(self, app: FastAPI, default: Policy) -> None:
        self._unmatched = RoutePolicy(UNMATCHED, UNMATCHED, default)
        self._entries = tuple(_entries(app.routes, "", default))
        self._cached = tuple(dict.fromkeys(entry.template for entry in self._entries if entry.policy.cache is not None))
        # What a whole path matches first, as the application would: an earlier route may take it, too.
        self._fixed = {
            (method, entry.template): self._match(entry.template, method)
            for entry in self._entries
            if "{" not in entry.template
            for method in entry.by_method
        }

    def find(self, scope: Scope) -> RoutePolicy:
        """Return the policy for a request; what matches no route is limited under one name."""
        path, method = path_of(scope), scope["method"]
        return self._fixed.get((method, path)) or self._match(path, method) or self._unmatched

    @property
    def cached(self) -> tuple[str, ...]:
        """The templates of the routes whose answers are cached."""
        return self._cached

    def captured(self) -> Iterator[tuple[str, frozenset[str], Policy]]:
        """Yield the template, methods and policy of every route whose answers are taken whole, for checks at start."""
        captured = (entry for entry in self._entries if entry.policy.captures)
        return ((entry.template, frozenset(entry.by_method), entry.policy) for entry in captured)

    def policies(self) -> Iterator[tuple[str, Policy]]:
        """Yield every route's template and policy, for checks at start."""
        return ((entry.template, entry.policy) for entry in self._entries)

    def _match(self, path: str, method: str) -> RoutePolicy | None:
        for entry in self._entries:
            route = entry.route(method)
            if route is not None and entry.pattern.match(path):
                return route
        return None


def _entries(routes: Iterable[BaseRoute], prefix: str, default: Policy) -> Iterator[_Entry]:
    for context in _contexts(routes):
        path = getattr(context, "path", None)
        if path is None:
            continue
        mounted = getattr(context, "route", context)
        if isinstance(mounted, Mount):
            yield from _entries(mounted.routes or [], prefix + path, default)
            yield _entry(prefix + path + "/{path:path}", None, default)
            continue
        declared = _declared(getattr(context, "endpoint", None), prefix + path)
        yield _entry(prefix + path, getattr(context, "methods", None), declared or default)


def _declared(endpoint: object, route: str) -> Policy | None:
    declared = policy_of(endpoint)
    if declared is not None and declared.takes_claims and not marks_execution(endpoint):
        raise ConfigurationError(f"@policy of {route}", "write it under the route's decorator, next to the handler")
    return declared


def _contexts(routes: Iterable[BaseRoute]) -> Iterable[Any]:
    """Flatten included routers: FastAPI keeps them as a tree since 0.15x, and flat before."""
    flatten = getattr(fastapi_routing, "iter_route_contexts", None)
    return routes if flatten is None else flatten(list(routes))


def _entry(template: str, methods: Iterable[str] | None, policy: Policy) -> _Entry:
    # A mount and its parts may name their parameters alike, which one pattern may not.
    numbers = count()
    pattern, _, _ = compile_path(_PARAMETER.sub(lambda _: f"{{p{next(numbers)}", template))
    by_method = {m: RoutePolicy(template, m, policy) for m in (methods or {UNMATCHED})}
    return _Entry(pattern, template, policy, by_method)


def path_of(scope: Scope) -> str:
    """Return a request's path as the application's routes match it."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    below = root and path.startswith(root) and path[len(root) : len(root) + 1] in {"", "/"}
    return path[len(root) :] if below else path
