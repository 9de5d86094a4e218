"""A route's dependencies, as FastAPI knows them: the credentials that they read, and whether one ends late."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tidegate.identity.parameter_names import names_of


class Reads(NamedTuple):
    """The parts of a request that a route and its dependencies read, beside path and body.

    Attributes:
        fields: header fields that a security scheme or a parameter reads; lower case.
        cookies: cookies that a security scheme or a parameter reads.
        query: query parameters that a security scheme reads.
        schemes: for each security scheme the place (`header`, `query` or `cookie`) and the name that it reads.
        parameters: the same for the fields, query parameters and cookies that handler and dependencies read.
        insists: whether a security scheme itself refuses a request without credentials (`auto_error`).
        session_cookies: cookies of a session that the application's middleware reads before.
        secured: whether the route has a security scheme.
        ends_late: whether a dependency's exit code runs after the response was sent, as with `yield`.
    """

    fields: frozenset[str] = frozenset()
    cookies: frozenset[str] = frozenset()
    query: frozenset[str] = frozenset()
    session_cookies: frozenset[str] = frozenset()
    secured: bool = False
    ends_late: bool = False
    schemes: frozenset[tuple[str, str]] = frozenset()
    parameters: frozenset[tuple[str, str]] = frozenset()
    insists: bool = False

    def joined(self, other: Reads) -> Reads:
        """Return the fields and session cookies of both, and otherwise what this one reads."""
        if not (other.fields or other.session_cookies):
            return self
        return self._replace(
            fields=self.fields | other.fields, session_cookies=self.session_cookies | other.session_cookies
        )


NOTHING = Reads()


def calls_of(route: Any) -> list[Any]:
    """Return what a route depends on, in the order in which FastAPI calls it; empty if it isn't a route of its own."""
    dependant = getattr(route, "dependant", None)
    return [] if dependant is None else [each.call for each in _all(dependant)]


def reads_of(route: Any) -> Reads:
    """Return what a route's dependencies read; `NOTHING` if it isn't a route of FastAPI's."""
    dependant = getattr(route, "dependant", None)
    if dependant is None:
        return NOTHING
    fields: set[str] = set()
    cookies: set[str] = set()
    query: set[str] = set()
    schemes: set[tuple[str, str]] = set()
    parameters: set[tuple[str, str]] = set()
    ends_late = insists = False
    for each in _all(dependant):
        read = tuple(_parameters(each))
        fields.update(name for place, name in read if place == "header")
        cookies.update(name for place, name in read if place == "cookie")
        parameters.update(read)
        call = _bare(each.call)
        scheme = _scheme(call)
        if scheme is not None:
            schemes.add(scheme)
            insists = insists or bool(getattr(call, "auto_error", True))
            place, name = scheme
            {"header": fields, "query": query, "cookie": cookies}.get(place, fields).add(name)
        ends_late = ends_late or (getattr(each, "scope", None) != "function" and _generates(call))
    return Reads(
        frozenset(fields),
        frozenset(cookies),
        frozenset(query),
        secured=bool(schemes),
        ends_late=ends_late,
        schemes=frozenset(schemes),
        parameters=frozenset(parameters),
        insists=insists,
    )


def _all(dependant: Any) -> Iterator[Any]:
    """Yield a dependant and all below it."""
    yield dependant
    for each in dependant.dependencies:
        yield from _all(each)


def _parameters(dependant: Any) -> Iterator[tuple[str, str]]:
    for place in ("header", "query", "cookie"):
        for name in names_of(getattr(dependant, f"{place}_params", ()), place):
            yield place, name


def _scheme(call: Any) -> tuple[str, str] | None:
    """Return the place and the name under which a security scheme reads its credential; None if this is none."""
    from fastapi.security.base import SecurityBase  # noqa: PLC0415  an application with a scheme has it loaded

    if not isinstance(call, SecurityBase):
        return None
    model: Any = getattr(call, "model", None)
    place, name = getattr(model, "in_", None), getattr(model, "name", None)
    if place is None or name is None:
        return "header", "authorization"
    # The names of parameters and cookies are case-sensitive, those of fields aren't.
    place = str(getattr(place, "value", place))
    return place, str(name).lower() if place == "header" else str(name)


def _bare(call: Any) -> Any:
    while hasattr(call, "func") and not inspect.isroutine(call):
        call = call.func
    return inspect.unwrap(call) if callable(call) else call


def _generates(call: Callable[..., Any] | None) -> bool:
    run = call if inspect.isroutine(call) or inspect.isclass(call) else getattr(call, "__call__", None)  # noqa: B004
    return inspect.isgeneratorfunction(run) or inspect.isasyncgenfunction(run)
