"""Looking at limits without charging them: for a client's dashboard, or an admin's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tidegate.identity import Caller, caller_of
from tidegate.lifecycle import Environment
from tidegate.mechanisms import limits
from tidegate.question import Question
from tidegate.routing import RouteTable


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of one limit.

    Attributes:
        limit: its name.
        remaining: whole units that may be used now.
        allowed: whether a request of the declared cost would be admitted.
        retry_after_s: seconds until it would; 0 if it is, None if it never will be.
    """

    limit: str
    remaining: int
    allowed: bool
    retry_after_s: float | None


async def peek(
    environment: Environment, routes: RouteTable, caller: str | Caller, method: str, path: str
) -> tuple[Left, ...]:
    """Ask the stores how a route's limits stand for a caller; charges nothing."""
    asked = caller_of(caller)
    scope: dict[str, Any] = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": []}
    route, namespace = routes.find(scope), environment.settings.namespace
    asking = limits.Asking(asked, scope, environment.clock.wall_us())
    applied = limits.bill(route, asking, namespace, environment.overrides.current)
    question = Question(limits.subject(namespace, asked), applied.charges, None, route.policy.on_outage, peek=True)
    answer = await environment.decide(lambda: environment.stores.admit(question))
    return tuple(
        Left(
            limit.label,
            state.remaining,
            state.allowed,
            None if state.retry_after_us < 0 else state.retry_after_us / 1_000_000,
        )
        for limit, state in zip(applied.limits, answer.limits, strict=False)
    )
