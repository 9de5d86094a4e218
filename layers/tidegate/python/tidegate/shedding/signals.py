"""The signals of a request itself: its criticality, its wait before this environment, and the time left for it.

No I/O. The time of arrival at the gateway is in its event (`requestTimeEpoch`, `timeEpoch` of an HTTP API). Off Lambda
it is unknown, and so is the wait.
"""

from __future__ import annotations

from typing import NamedTuple

from tidegate import criticality, deadline
from tidegate.aws_lambda.events.caller import context_of
from tidegate.criticality import Criticality
from tidegate.identity.caller import Caller, Scope

# The longest time that a gateway waits for its integration, at the highest quota; a longer one is a recorded event's.
LONGEST_WAIT_MS = 300_000

_FIELDS = frozenset({criticality.FIELD, deadline.FIELD})


class Arrival(NamedTuple):
    """A request before it is decided.

    Attributes:
        principal: its caller's.
        criticality: the route's, or the one that the caller claims, as far as its tier permits.
        waited_s: seconds since the gateway received it; None: unknown.
        left_s: seconds until the client's deadline or the end of the invocation; None: unknown.
    """

    principal: str
    criticality: Criticality
    waited_s: float | None
    left_s: float | None


def arrival(scope: Scope, route: Criticality, caller: Caller, now_us: int) -> Arrival:
    """Read a request's signals.

    Args:
        scope: the ASGI scope, with Mangum's members on Lambda.
        route: the route's own criticality.
        caller: its caller.
        now_us: epoch microseconds.
    """
    waited_s = _waited_s(scope, now_us)
    fields = _shedding_fields(scope)
    left_s = _left_s(scope, fields.get(deadline.FIELD), waited_s or 0.0)
    return Arrival(caller.principal, _criticality(fields.get(criticality.FIELD), route, caller), waited_s, left_s)


def _shedding_fields(scope: Scope) -> dict[bytes, str]:
    """The client's fields about shedding, found in one pass: most requests have many fields, and none of these."""
    return {name: value.decode("latin-1") for name, value in reversed(scope["headers"]) if name in _FIELDS}


def _criticality(fields: str | None, route: Criticality, caller: Caller) -> Criticality:
    """A caller may always lower the criticality of its request; to raise it, its tier must permit that."""
    claimed = criticality.parse(fields)
    if claimed is None:
        return route
    may = route if caller.highest is None else min(route, caller.highest, key=criticality.rank)
    return criticality.at_most(claimed, may)


def _waited_s(scope: Scope, now_us: int) -> float | None:
    context = context_of(scope.get("aws.event"))
    epoch_ms = context.get("requestTimeEpoch") or context.get("timeEpoch")
    if not isinstance(epoch_ms, int | float) or isinstance(epoch_ms, bool):
        return None
    waited_ms = now_us // 1000 - epoch_ms
    # The event is a recorded one, or the value is no time (NaN compares false).
    if not -LONGEST_WAIT_MS <= waited_ms <= LONGEST_WAIT_MS:
        return None
    return max(0.0, waited_ms / 1000)  # negative if the two clocks differ


def _left_s(scope: Scope, fields: str | None, waited_s: float) -> float | None:
    """The client's timeout began when the gateway received the request; Lambda's when the invocation began."""
    timeout_ms = deadline.parse_ms(fields)
    remaining = getattr(scope.get("aws.context"), "get_remaining_time_in_millis", None)
    client_s = None if timeout_ms is None else timeout_ms / 1000 - waited_s
    if remaining is None:
        return client_s
    lambda_s: float = remaining() / 1000
    return lambda_s if client_s is None else min(client_s, lambda_s)
