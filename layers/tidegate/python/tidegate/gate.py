"""`protect`: puts the guard in front of an application."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Literal

from fastapi import FastAPI

from tidegate.errors import ConfigurationError
from tidegate.guard import Guard
from tidegate.identity import Caller, Identify
from tidegate.lifecycle import PATIENCE_S, Environment, Lifecycle
from tidegate.limits.token_bucket import TokenBucket
from tidegate.policy import Policy
from tidegate.problems import install
from tidegate.routing import RouteTable
from tidegate.settings import Settings
from tidegate.stores.breaker import BreakerState
from tidegate.stores.tracked import ShadowCounts, StoreState

if TYPE_CHECKING:
    from tidegate.peek import Left

DEFAULT_POLICY = Policy(limits=(TokenBucket("50/s", burst=100),))


# Dataclasses, not named tuples: an application returns them, and FastAPI would make lists of the latter.
@dataclass(frozen=True, slots=True)
class StoreHealth:
    """A store as `/health` shows it.

    Attributes:
        name: `redis` or `dynamodb`.
        state: `untried`, `ready` or `failing`.
        breaker: `closed`, `open` or `half-open`.
        since: when this state began, ISO 8601 in UTC.
        latency_ms: what its latest answer took; None if it failed.
        error: the class of the fault; None if it is well. What the driver said is in the log: it may hold
            addresses, and health is often public.
        shadow: of a fallback: what became of the decisions that it was asked for beside Redis'.
    """

    name: str
    state: Literal["untried", "ready", "failing"]
    breaker: BreakerState
    since: str
    latency_ms: float | None
    error: str | None
    shadow: ShadowCounts | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """How well the environment can decide.

    Attributes:
        status: `ok`; `degraded` while a fallback decides; `down` if no configured store answers.
        deciding: the store that decides now.
        stores: each shared store, the preferred one first.
    """

    status: Literal["ok", "degraded", "down"]
    deciding: str
    stores: tuple[StoreHealth, ...]


class Gate:
    """A protected application's handle.

    Args:
        lifecycle: holds the environment's parts.
        routes: makes the application's route table.
    """

    def __init__(self, lifecycle: Lifecycle, routes: Callable[[], RouteTable]) -> None:
        self._lifecycle = lifecycle
        self._routes = routes

    @property
    def settings(self) -> Settings:
        """The settings in force.

        Raises:
            ConfigurationError: one of them is wrong.
        """
        return self._lifecycle.environment.settings

    async def health(self) -> Health:
        """Ask every store now, in short timeouts, and report."""
        environment = self._lifecycle.environment
        await environment.call(lambda: environment.stores.check(PATIENCE_S))
        states = environment.stores.states
        return Health(_status(states), _deciding(environment, states), tuple(_health(state) for state in states))

    async def peek(self, caller: str | Caller, method: str, path: str) -> tuple[Left, ...]:
        """Say what is left of a route's limits to a caller, without charging anything.

        Args:
            caller: a principal as `request.state.tidegate` has it, or a `Caller` with an organisation or a zone.
            method: the request's method, in capitals.
            path: the request's path.

        Returns:
            One `Left` for each limit that counts for the caller, in order; none if no store could be asked.
        """
        from tidegate.peek import peek  # noqa: PLC0415  rarely asked for

        return await peek(self._lifecycle.environment, self._routes(), caller, method, path)

    def close(self) -> None:
        """Close connections; the next request opens new ones."""
        self._lifecycle.close()


def protect(
    app: FastAPI,
    *,
    default: Policy = DEFAULT_POLICY,
    settings: Settings | None = None,
    identify: Identify | None = None,
    problems: bool = True,
) -> Gate:
    """Protect an application: every request goes through the guard, errors become problem details.

    Args:
        app: the application; its routes may be declared before or after.
        default: the policy of routes without one, and of what matches no route.
        settings: instead of the `TIDEGATE_*` variables.
        identify: finds the principal of an ASGI scope, instead of API key, authorizer or address.
        problems: whether the application's own error answers become problem details, too.

    Raises:
        ConfigurationError: the default policy is idempotent, or, on Lambda, a setting is wrong. Elsewhere a wrong
            setting stops the application's start-up (lifespan), or its first request.
    """
    if default.idempotent:
        raise ConfigurationError("protect(default=…)", "a default can't be idempotent; write @policy on those routes")
    lifecycle = Lifecycle((lambda: settings) if settings else (lambda: Settings.from_environ(os.environ)))
    routes = _route_table(app, default, lifecycle)
    app.add_middleware(Guard, lifecycle=lifecycle, routes=routes, identify=identify)
    if problems:
        install(app)
    if settings.on_lambda if settings else "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        _ = lifecycle.environment
    return Gate(lifecycle, routes)


def _route_table(app: FastAPI, default: Policy, lifecycle: Lifecycle) -> Callable[[], RouteTable]:
    @cache
    def table() -> RouteTable:
        environment = lifecycle.environment
        made = RouteTable(app, default)
        for route, policy in made.policies():
            _check(route, policy, environment)
        return made

    return table


def _check(route: str, policy: Policy, environment: Environment) -> None:
    """Refuse a route whose guarantee no configured store can give."""
    if not policy.idempotent:
        return
    if policy.claims == "dynamodb" and environment.claims is None:
        raise ConfigurationError(
            "TIDEGATE_TABLE",
            f"{route} is idempotent and its claims need DynamoDB; set TIDEGATE_TABLE, or write claims='redis' in its "
            "policy if a handler may run twice when Redis loses its data",
        )
    if policy.claims == "redis" and environment.settings.redis_url is None:
        raise ConfigurationError("TIDEGATE_REDIS_URL", f"{route} keeps its claims in Redis; set TIDEGATE_REDIS_URL")


def _status(states: tuple[StoreState, ...]) -> Literal["ok", "degraded", "down"]:
    ready = [state.state == "ready" for state in states]
    if all(ready):
        return "ok"
    return "degraded" if any(ready) else "down"


def _deciding(environment: Environment, states: tuple[StoreState, ...]) -> str:
    return next((state.name for state in states if state.state == "ready"), environment.stores.current)


def _health(state: StoreState) -> StoreHealth:
    since = datetime.fromtimestamp(state.since_us / 1_000_000, UTC).isoformat(timespec="milliseconds")
    return StoreHealth(
        state.name,
        state.state,
        state.breaker,
        since,
        None if state.latency_ms is None else round(state.latency_ms, 3),
        state.fault,
        state.shadow,
    )
