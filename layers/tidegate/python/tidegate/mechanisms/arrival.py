"""What a request tells of itself before anything is decided: how dear it is, how long it waited, how long it may take.

No I/O. The gateway's time of arrival is in its event (`requestTimeEpoch`, `timeEpoch` of an HTTP API); a server has no
such thing, and its requests are not known to have waited.
"""

from __future__ import annotations

from typing import NamedTuple

from tidegate import criticality, deadline
from tidegate.criticality import Criticality
from tidegate.identity import Caller, Scope, header


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
    return Arrival(caller.principal, _criticality(scope, route, caller), waited_s, _left_s(scope, waited_s or 0.0))


def _criticality(scope: Scope, route: Criticality, caller: Caller) -> Criticality:
    """A caller may always say that it can wait; to say the contrary, its tier must let it."""
    claimed = criticality.parse(header(scope, criticality.FIELD))
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


def _left_s(scope: Scope, waited_s: float) -> float | None:
    """The client's time runs since the gateway has its request; Lambda's since the invocation began."""
    timeout_ms = deadline.parse_ms(header(scope, deadline.FIELD))
    remaining = getattr(scope.get("aws.context"), "get_remaining_time_in_millis", None)
    ends = [] if timeout_ms is None else [timeout_ms / 1000 - waited_s]
    if remaining is not None:
        ends.append(remaining() / 1000)
    return min(ends, default=None)
