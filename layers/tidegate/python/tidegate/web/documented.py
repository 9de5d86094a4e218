"""Takes the place of an application's `openapi`, and completes its document when somebody asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from fastapi import FastAPI
from starlette.routing import Mount

from tidegate.routing import RouteTable

Document = dict[str, Any]


class Documented:
    """An application's own function, and what the guard adds to its document (see `openapi`).

    Args:
        made: the application's own function.
        prefix: the path at which the application is mounted in the protected one.
        table: returns the routes' policies.
        own_refusals: whether the application makes the bodies of refusals itself.
    """

    def __init__(
        self, made: Callable[[], Document], prefix: str, table: Callable[[], RouteTable], *, own_refusals: bool
    ) -> None:
        self._made = made
        self._prefix = prefix
        self._table = table
        self._own_refusals = own_refusals
        self._seen: tuple[Document, Document] | None = None

    def __call__(self) -> Document:
        """Return the document; it is completed anew only if the application makes it anew."""
        made = self._made()
        if self._seen is None or self._seen[0] is not made:
            from tidegate.web.openapi import completed  # noqa: PLC0415  few processes are ever asked for it

            self._seen = made, completed(made, self._prefix, self._table(), own_refusals=self._own_refusals)
        return self._seen[1]


def document(app: FastAPI, table: Callable[[], RouteTable], *, own_refusals: bool) -> None:
    """Let the application, and those mounted in it, document what the guard answers; harmless if done again.

    Args:
        app: the protected application.
        table: returns the routes' policies; called when a document is asked for.
        own_refusals: whether the application makes the bodies of refusals itself.
    """
    for prefix, each in _applications(app, ""):
        if not isinstance(each.openapi, Documented):
            completing = Documented(each.openapi, prefix, table, own_refusals=own_refusals)
            each.openapi = completing  # type: ignore[method-assign]


def _applications(app: FastAPI, prefix: str) -> Iterator[tuple[str, FastAPI]]:
    yield prefix, app
    for route in app.routes:
        if isinstance(route, Mount) and isinstance(route.app, FastAPI):
            yield from _applications(route.app, prefix + route.path)
