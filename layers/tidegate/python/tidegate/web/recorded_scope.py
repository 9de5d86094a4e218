"""The scope of a run whose response is recorded, and what middlewares around the guard read of it afterwards."""

from __future__ import annotations

from starlette.types import Scope

# Extensions by which a server sends a part of a response itself, a file say, past whoever records it.
_OF_THE_RESPONSE = "http.response."
# What Starlette and FastAPI put into the scope of the application that they route to.
_ROUTING = ("route", "endpoint", "path_params")


def recorded(scope: Scope) -> Scope:
    """Return a copy of a scope without the server's extensions of the response; those of the request stay."""
    extensions = scope.get("extensions") or {}
    kept = {name: value for name, value in extensions.items() if not name.startswith(_OF_THE_RESPONSE)}
    return {**scope, "extensions": kept}


def tell_route(scope: Scope, inner: Scope) -> None:
    """Tell the middlewares around the guard which route a copy of their scope has led to, as their logs ask for it."""
    for name in _ROUTING:
        if name in inner:
            scope[name] = inner[name]
