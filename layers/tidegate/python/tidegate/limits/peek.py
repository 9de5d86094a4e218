"""Reading limits without charging them, for a client's dashboard or an administrator's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tidegate.environment import Environment
from tidegate.identity.caller import Caller, caller_of
from tidegate.limits import charges
from tidegate.messages import Question
from tidegate.routing import RouteTable


@dataclass(frozen=True, slots=True)
class Left:
    """The units that are left of one limit.

    Attributes:
        limit: its name.
        remaining: whole units that may be used now.
        allowed: whether a request of the declared cost would be admitted.
        retry_after_s: seconds until it would; 0 if it would now, None if never.
    """

    limit: str
    remaining: int
    allowed: bool
    retry_after_s: float | None


async def peek(
    environment: Environment, routes: RouteTable, caller: str | Caller, method: str, path: str
) -> tuple[Left, ...]:
    """Return the states of a route's limits for a caller; charges nothing."""
    asked = caller_of(caller)
    scope: dict[str, Any] = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": []}
    route, namespace = routes.find(scope), environment.settings.namespace
    asking = charges.ChargeContext(asked, scope, environment.clock.wall_us())
    applied = charges.charge_set(route, asking, namespace, environment.overrides.current)
    question = Question(charges.subject(namespace, asked), applied.charges, None, route.policy.on_outage, peek=True)
    if question.asks_nothing:
        return ()
    answer = await environment.decide.steps(environment.stores.admitting(question))
    return tuple(
        Left(
            limit.label,
            state.remaining,
            state.allowed,
            None if state.retry_after_us < 0 else state.retry_after_us / 1_000_000,
        )
        for limit, state in zip(applied.limits, answer.limits, strict=False)
    )
