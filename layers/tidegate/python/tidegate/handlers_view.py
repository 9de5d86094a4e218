"""Makes a handler's view of its own admission, when the request is identified."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.types import Scope

from tidegate.admission import Admission
from tidegate.environment import Environment
from tidegate.identity.caller import Caller
from tidegate.routing import RoutePolicy, RouteTable

if TYPE_CHECKING:
    from tidegate.cache.invalidation import Invalidator


def handlers_view(
    scope: Scope, route: RoutePolicy, caller: Caller, routes: RouteTable, environment: Environment, changed: str | None
) -> Admission:
    """Make a request's `request.state.tidegate`.

    Args:
        scope: the request's scope, into which it is put.
        route: its route.
        caller: its caller.
        routes: the application's route table.
        environment: the environment's parts.
        changed: the path that the request changes; None if it changes nothing, or no route is cached.
    """

    def voider() -> Invalidator:
        from tidegate.cache.changes import invalidator_of  # noqa: PLC0415  only for invalidation

        return invalidator_of(environment, routes, changed)

    # It is given the scope: one that it held would hold it, and wait for the garbage collector with every request.
    def credentials(scope: Scope) -> str:
        from tidegate.overflow.owner import owner_credentials  # noqa: PLC0415  only for queued requests

        return owner_credentials(scope, caller, routes.credentials, environment.settings.principal_key)

    view = Admission(caller.principal, route.route, organisation=caller.organisation)
    view.voider, view.credentials = voider, credentials
    scope.setdefault("state", {})["tidegate"] = view
    return view
