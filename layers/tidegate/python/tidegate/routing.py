"""The route and policy of a request, found before the application itself routes it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from fastapi import FastAPI
from fastapi import routing as fastapi_routing
from starlette.routing import BaseRoute, Host, Match, Mount, WebSocketRoute, compile_path

from tidegate.depends import Limited
from tidegate.enforcement import Execution, enforces
from tidegate.errors import ConfigurationError
from tidegate.identity.caller import Scope
from tidegate.identity.dependants import NOTHING, Reads, calls_of, reads_of
from tidegate.identity.exemption import covers
from tidegate.policy import Policy, policy_of

UNMATCHED = "*"
# Stands for the method in a websocket's handshake.
HANDSHAKE = "WEBSOCKET"

_PARAMETER = re.compile(r"\{[a-zA-Z_]\w*")
_METHODS_OF_CLASSES = ("get", "head", "post", "put", "patch", "delete", "options")


@dataclass(frozen=True, slots=True, eq=False)
class RoutePolicy:
    """A route's name and policy; one object for each route and method, compared by identity.

    Attributes:
        route: the path's template, such as `/v1/orders/{id}`, or `UNMATCHED`.
        method: the request's method, `HANDSHAKE` for a websocket's, or `UNMATCHED`.
        policy: its policy.
        reads: the parts of a request that its dependencies read, as far as FastAPI knows them.
        admitted: the execution that its handler finds after an admission; requests without own state share it.
        name: the name under which its outcomes are counted.
    """

    route: str
    method: str
    policy: Policy
    reads: Reads = NOTHING
    admitted: Execution = field(init=False)
    name: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "admitted", Execution(self.policy))
        object.__setattr__(self, "name", self.route if self.method == UNMATCHED else f"{self.method} {self.route}")


class _Holder(Protocol):
    """An application or a router."""

    @property
    def routes(self) -> list[BaseRoute]: ...


class _Asks(Protocol):
    """What is asked, beside a route's path, whether a request is for it."""

    def matches(self, scope: MutableMapping[str, Any]) -> tuple[Match, Any]: ...


class _OwnMatch(NamedTuple):
    """A route whose class decides by itself which requests are for it: by a version in a header, say.

    Attributes:
        route: the route.
        segments: how many segments of a path are the route's own, behind its routers' prefixes; None: all.
    """

    route: BaseRoute
    segments: int | None

    def matches(self, scope: MutableMapping[str, Any]) -> tuple[Match, Any]:
        """Return the route's own match; a full one of a request that isn't whole, as checks at start ask for one."""
        path = path_of(scope)
        if self.segments is not None:
            path = "/" + "/".join(path.split("/")[-self.segments :])
        try:
            return self.route.matches({**scope, "path": path, "root_path": ""})
        except Exception:  # noqa: BLE001  the application's own
            return Match.FULL, {}


class _Entry(NamedTuple):
    pattern: re.Pattern[str]
    asks: tuple[_Asks, ...]
    template: str
    policy: Policy
    by_method: Mapping[str, RoutePolicy]

    def route(self, method: str) -> RoutePolicy | None:
        found = self.by_method.get(method)
        return found or (None if method == HANDSHAKE else self.by_method.get(UNMATCHED))

    def is_at(self, scope: Scope) -> bool:
        """Whether a request is the entry's by more than its path: by its host, say, as the application compares it."""
        return all(each.matches(dict(scope))[0] is not Match.NONE for each in self.asks)


class RouteTable:
    """The application's routes with their policies, in the order in which it matches them.

    Args:
        app: the application; read when the table is made.
        default: the policy of routes without one, and of paths and methods that match no route.
        credentials: header fields, in lower case, that carry credentials on every route.
        policies: the policies of routes without one, by the path that they are at or below.

    Raises:
        ConfigurationError: a policy with claims was written above its route's decorator, or on a websocket.
    """

    def __init__(
        self,
        app: FastAPI,
        default: Policy,
        credentials: Collection[str] = (),
        policies: Mapping[str, Policy] = MappingProxyType({}),
    ) -> None:
        everywhere = Reads(frozenset(credentials), session_cookies=_session_cookies(app))
        walk = _Walk(default, everywhere, policies)
        self._entries = (*walk.entries(app, "", ()), *walk.unmatched())
        self.by_prefix = {prefix: tuple(names) for prefix, names in walk.by_prefix.items()}
        self.replaced = tuple(walk.replaced)
        self._unmatched = RoutePolicy(UNMATCHED, UNMATCHED, default, everywhere)
        self._credentials: Reads | None = None
        self._read = tuple((holder, list(holder.routes)) for holder in walk.read)
        self._cached = tuple(dict.fromkeys(entry.template for entry in self._entries if entry.policy.cache is not None))
        self._by_more = any(entry.asks for entry in self._entries)
        # Paths without parameters, each with the first route that matches it: an earlier template may do so, too.
        self._fixed = {
            (method, entry.template): self._match(entry.template, method, {})
            for entry in (() if self._by_more else self._entries)
            if "{" not in entry.template
            for method in entry.by_method
        }

    def find(self, scope: Scope) -> RoutePolicy:
        """Return the policy for a request; all requests that match no route share one."""
        path, method = path_of(scope), scope.get("method", HANDSHAKE)
        found = self._fixed.get((method, path))
        if found is None:
            found = self._match(path, method, scope)
        return found or self._unmatched

    @property
    def outdated(self) -> bool:
        """Whether routes were added, removed or exchanged since the table was made."""
        for holder, routes_then in self._read:  # noqa: SIM110  twice as fast as `any`, and every request does it
            if holder.routes != routes_then:  # lists compare their members by identity first
                return True
        return False

    @property
    def credentials(self) -> Reads:
        """The parts of requests that carry credentials, on all routes together whose requests may be queued."""
        if self._credentials is None:
            from tidegate.overflow.owner import read_together  # noqa: PLC0415  only for queued requests

            queued = (route.reads for route in self.routes() if route.policy.overflow is not None)
            self._credentials = read_together(self._unmatched.reads, queued)
        return self._credentials

    @property
    def cached(self) -> tuple[str, ...]:
        """The templates of the routes whose responses are cached."""
        return self._cached

    def routes(self) -> Iterator[RoutePolicy]:
        """Yield every route, once for each of its methods, for checks at start."""
        return (route for entry in self._entries for route in entry.by_method.values())

    def captured(self) -> Iterator[tuple[str, frozenset[str], Policy]]:
        """Yield the template, methods and policy of every route whose responses are captured, for checks at start."""
        captured = (entry for entry in self._entries if entry.policy.captures)
        return ((entry.template, frozenset(entry.by_method), entry.policy) for entry in captured)

    def policies(self) -> Iterator[tuple[str, Policy]]:
        """Yield every route's template and policy, for checks at start."""
        return ((entry.template, entry.policy) for entry in self._entries)

    def _match(self, path: str, method: str, scope: Scope) -> RoutePolicy | None:
        for entry in self._entries:
            route = entry.route(method)
            if route is not None and entry.pattern.match(path) and entry.is_at(scope):
                return route
        return None


class _Walk:
    """Reads the routes of an application, and of the applications that are mounted in it.

    Args:
        default: the policy of routes without one.
        everywhere: the parts of a request that every route reads.
        policies: the policies of routes without one, by the path that they are at or below.

    Attributes:
        by_prefix: the routes that got such a policy.
        replaced: the routes whose `limited` dependency counts for nothing, since a more specific policy does.
        read: what holds the routes that were read; the table is outdated when one of them holds others.
    """

    def __init__(self, default: Policy, everywhere: Reads, policies: Mapping[str, Policy]) -> None:
        self._default = default
        self._policies = dict(sorted(policies.items(), key=lambda each: len(each[0]), reverse=True))
        self.by_prefix: dict[str, list[str]] = {prefix: [] for prefix in policies}
        self.replaced: list[str] = []
        self._everywhere = everywhere
        self.read: list[_Holder] = []

    def entries(self, holder: _Holder | None, prefix: str, asks: tuple[_Asks, ...]) -> Iterator[_Entry]:
        """Yield the entries of an application's routes, in order; none if it shows no routes."""
        if holder is None:
            return
        self._note(holder)
        for context in _contexts(holder.routes):
            route = getattr(context, "route", context)
            if isinstance(route, Host):
                yield from self.entries(_below(route), prefix, (*asks, route))
                below = prefix + "/{path:path}"
                yield self._entry(below, None, _Asked(self._without_own(below)), (*asks, route))
                continue
            path = getattr(context, "path", None)
            if path is None:
                continue
            if isinstance(route, Mount):
                yield from self.entries(_below(route), prefix + path, asks)
                below = prefix + path + "/{path:path}"
                yield self._entry(below, None, _Asked(self._without_own(below)), asks)
                continue
            yield from self._of_route(context, prefix + path, asks)

    def unmatched(self) -> Iterator[_Entry]:
        """Yield what stands for requests that match no route, but a path with a policy."""
        for prefix, policy in self._policies.items():
            yield self._entry(prefix, None, _Asked(policy), ())
            yield self._entry(prefix + "/{path:path}", None, _Asked(policy), ())

    def _without_own(self, template: str) -> Policy:
        """Return the policy of a route that has none: that of the longest path which it is at or below."""
        for prefix, policy in self._policies.items():
            if covers(prefix, template):
                self.by_prefix[prefix].append(template)
                return policy
        return self._default

    def _asked(self, declared: Policy | None, context: Any, template: str, reads: Reads = NOTHING) -> _Asked:
        """Return a route's policy: its own, else that of the dependency nearest to it, else that of its path."""
        found = [each for each in calls_of(context) if isinstance(each, Limited)]
        if declared is None and found:
            declared = found[-1].policy
        for each in found:
            if declared is not None and each.policy is not declared:
                each.replaced_by.append(declared)
                self.replaced.append(template)
        return _Asked(declared or self._without_own(template), reads)

    def _of_route(self, context: Any, template: str, asks: tuple[_Asks, ...]) -> Iterator[_Entry]:
        endpoint = getattr(context, "endpoint", None)
        original = getattr(context, "original_route", context)
        asks = (*asks, *_own_match(original, template))
        if isinstance(original, WebSocketRoute):
            declared = _declared_on_socket(endpoint, template)
            yield self._entry(template, {HANDSHAKE}, self._asked(declared, context, template), asks)
            return
        reads = reads_of(context)
        if isinstance(endpoint, type):  # Starlette's HTTPEndpoint: the class has a method for each of HTTP's
            for method in _METHODS_OF_CLASSES:
                run = getattr(endpoint, method, None) or (getattr(endpoint, "get", None) if method == "head" else None)
                if run is not None:
                    asked = self._asked(_declared(run, template), context, template, reads)
                    yield self._entry(template, {method.upper()}, asked, asks)
            yield self._entry(template, None, _Asked(self._without_own(template), reads), asks)
            return
        asked = self._asked(_declared(endpoint, template), context, template, reads)
        yield self._entry(template, getattr(context, "methods", None), asked, asks)

    def _entry(self, template: str, methods: Iterable[str] | None, asked: _Asked, asks: tuple[_Asks, ...]) -> _Entry:
        # A mount and its routes may use one name for two parameters, which a pattern may not.
        numbers = count()
        pattern, _, _ = compile_path(_PARAMETER.sub(lambda _: f"{{p{next(numbers)}", template))
        reads = asked.reads.joined(self._everywhere)
        by_method = {m: RoutePolicy(template, m, asked.policy, reads) for m in (methods or {UNMATCHED})}
        return _Entry(pattern, asks, template, asked.policy, by_method)

    def _note(self, holder: _Holder) -> None:
        """Remember what holds routes, and its included routers."""
        self.read.append(holder)
        for route in holder.routes:
            included = getattr(route, "original_router", None)
            if included is not None:
                self._note(included)


class _Asked(NamedTuple):
    policy: Policy
    reads: Reads = NOTHING


def _declared(endpoint: object, route: str) -> Policy | None:
    declared = policy_of(endpoint)
    if declared is not None and declared.takes_claims and not _is_enforced(endpoint):
        raise ConfigurationError(f"@policy of {route}", "write it under the route's decorator, next to the handler")
    return declared


def _declared_on_socket(endpoint: object, route: str) -> Policy | None:
    declared = policy_of(endpoint)
    if declared is not None and (declared.takes_claims or declared.captures):
        raise ConfigurationError(
            f"@policy of {route}",
            "a websocket has no one answer: idempotent, overflow, cache and coalesce can't hold; its limits are those "
            "of the handshake",
        )
    return declared


def _is_enforced(endpoint: object) -> bool:
    while hasattr(endpoint, "func"):
        endpoint = endpoint.func
    return enforces(endpoint) or enforces(getattr(endpoint, "__call__", None))  # noqa: B004  an instance's, not a test


def _below(mount: Mount | Host) -> _Holder | None:
    """Return the mounted application that holds routes, which may be wrapped in middlewares; it may get them later."""
    app: Any = mount.app
    found = None
    while app is not None:
        if isinstance(getattr(app, "routes", None), list):
            found = app
            if app.routes:
                break
        inner = getattr(app, "app", None)
        app = None if inner is app else inner
    return found


def _own_match(route: BaseRoute, template: str) -> Iterator[_OwnMatch]:
    """Yield what is to be asked of a route whose class has a `matches` of its own."""
    if type(route).matches.__module__.partition(".")[0] in {"starlette", "fastapi"}:
        return
    own = str(getattr(route, "path", template))
    if own == template:
        yield _OwnMatch(route, None)
    elif ":path}" not in own:  # of such a path it can't be said which part is the route's own
        yield _OwnMatch(route, own.count("/"))


def _session_cookies(app: FastAPI) -> frozenset[str]:
    """Return the cookies of Starlette's sessions, which it signs anew with each response."""
    sessions = (each for each in app.user_middleware if getattr(each.cls, "__name__", "") == "SessionMiddleware")
    return frozenset(str(each.kwargs.get("session_cookie", "session")) for each in sessions)


def _contexts(routes: Sequence[BaseRoute]) -> Iterable[Any]:
    """Flatten included routers: FastAPI keeps them as a tree since 0.15x, and flat before."""
    flatten = getattr(fastapi_routing, "iter_route_contexts", None)
    return routes if flatten is None else flatten(list(routes))


def path_of(scope: Scope) -> str:
    """Return a request's path as the application's routes match it."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    below = root and path.startswith(root) and path[len(root) : len(root) + 1] in {"", "/"}
    return path[len(root) :] if below else path
