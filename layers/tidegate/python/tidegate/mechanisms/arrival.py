"""What a request tells of itself before anything is decided: how dear it is, how long it waited, how long it may take.

No I/O. The gateway's time of arrival is in its event (`requestTimeEpoch`, `timeEpoch` of an HTTP API); a server has no
such thing, and its requests are not known to have waited.
"""

from __future__ import annotations

from typing import NamedTuple

from tidegate import criticality, deadline
from tidegate.criticality import Criticality
from tidegate.identity import Caller, Scope

_FIELDS = frozenset({criticality.FIELD, deadline.FIELD})


class Arrival(NamedTuple):
    """A request at the door.

    Attributes:
        principal: who asks.
        criticality: how dear it is: the route's, or what the caller claims within what it may.
        waited_s: seconds from the gateway's receipt to now; None if nobody says.
        left_s: seconds until nobody waits for the answer any more, or Lambda ends the invocation; None: no end known.
    """

    principal: str
    criticality: Criticality
    waited_s: float | None
    left_s: float | None


def arrival(scope: Scope, route: Criticality, caller: Caller, now_us: int) -> Arrival:
    """Read a request.

    Args:
        scope: the ASGI scope, with Mangum's members on Lambda.
        route: the route's own criticality.
        caller: who asks.
        now_us: the time.
    """
    waited_s = _waited_s(scope, now_us)
    said = _said(scope)
    left_s = _left_s(scope, said.get(deadline.FIELD), waited_s or 0.0)
    return Arrival(caller.principal, _criticality(said.get(criticality.FIELD), route, caller), waited_s, left_s)


def _said(scope: Scope) -> dict[bytes, str]:
    """What the client says for shedding: in one walk over its fields, which are many, while these are mostly none."""
    return {name: value.decode("latin-1") for name, value in reversed(scope["headers"]) if name in _FIELDS}


def _criticality(said: str | None, route: Criticality, caller: Caller) -> Criticality:
    """A caller may always say that it can wait; to say the contrary, its tier must let it."""
    claimed = criticality.parse(said)
    if claimed is None:
        return route
    may = route if caller.highest is None else min(route, caller.highest, key=criticality.rank)
    return criticality.at_most(claimed, may)


def _waited_s(scope: Scope, now_us: int) -> float | None:
    context = scope.get("aws.event", {}).get("requestContext") or {}
    epoch_ms = context.get("requestTimeEpoch") or context.get("timeEpoch")
    if not isinstance(epoch_ms, int | float):
        return None
    return max(0.0, now_us / 1_000_000 - epoch_ms / 1000)  # below 0 two clocks differ


def _left_s(scope: Scope, said: str | None, waited_s: float) -> float | None:
    """The client's time runs since the gateway has its request; Lambda's since the invocation began."""
    timeout_ms = deadline.parse_ms(said)
    remaining = getattr(scope.get("aws.context"), "get_remaining_time_in_millis", None)
    client_s = None if timeout_ms is None else timeout_ms / 1000 - waited_s
    if remaining is None:
        return client_s
    lambda_s: float = remaining() / 1000
    return lambda_s if client_s is None else min(client_s, lambda_s)
