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
    from tidegate.worker import Worker

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

    def observe(self, dependency: str, milliseconds: float) -> None:
        """Say what a call to something that this environment depends on took; when it gets slow, load is shed.

        Args:
            dependency: `database`, whose thresholds are TIDEGATE_SHED_DATABASE_MS; other names count for nothing.
            milliseconds: how long the call took, however it ended.
        """
        self._lifecycle.environment.shedder.observe(dependency, milliseconds)

    def worker(self, app: FastAPI) -> Worker:
        """Return the Lambda handler that runs the queued requests of an application, which this gate protects."""
        from tidegate.worker import Worker  # noqa: PLC0415  only a worker needs it

        return Worker(app, lambda: self._lifecycle.environment)

    async def invalidate(self, *tags: str) -> bool:
        """Void the cached copies that are called so, as `request.state.tidegate.invalidate` does."""
        from tidegate.caching.voider import Voider  # noqa: PLC0415  only what invalidates needs it

        return await Voider(self._lifecycle.environment, self._routes()).void(tags)

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
    requests: str | None = None,
) -> Gate:
    """Protect an application: every request goes through the guard, errors become problem details.

    Args:
        app: the application; its routes may be declared before or after.
        default: the policy of routes without one, and of what matches no route.
        settings: instead of the `TIDEGATE_*` variables.
        identify: finds the principal of an ASGI scope, instead of API key, authorizer or address.
        problems: whether the application's own error answers become problem details, too.
        requests: the path, such as `/v1/requests`, below which queued requests are found and cancelled; needed where
            a route has `overflow="queue"`.

    Raises:
        ConfigurationError: the default policy is idempotent, or, on Lambda, a setting is wrong. Elsewhere a wrong
            setting stops the application's start-up (lifespan), or its first request.
    """
    if default.idempotent:
        raise ConfigurationError("protect(default=…)", "a default can't be idempotent; write @policy on those routes")
    if default.captures:
        raise ConfigurationError("protect(default=…)", "a default can't be cached; write @policy on those routes")
    lifecycle = Lifecycle((lambda: settings) if settings else (lambda: Settings.from_environ(os.environ)))
    routes = _route_table(app, default, lifecycle, requests)
    app.add_middleware(Guard, lifecycle=lifecycle, routes=routes, identify=identify, requests=requests)
    if requests is not None:
        from tidegate.requests import requests_router  # noqa: PLC0415  only what may overflow needs it

        app.include_router(requests_router(requests, lambda: lifecycle.environment))
    if problems:
        install(app)
    if settings.on_lambda if settings else "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        _ = lifecycle.environment
    if "AWS_LAMBDA_FUNCTION_VERSION" in os.environ:  # whatever the settings say: only there are these signals
        _follow(lifecycle)
    return Gate(lifecycle, routes)


def _follow(lifecycle: Lifecycle) -> None:
    """Have Lambda's own environment end, or begin as a copy, as Lambda says."""
    from tidegate.shutdown import close_at_sigterm  # noqa: PLC0415  only Lambda says so

    close_at_sigterm(lifecycle)
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
        from tidegate.snapstart import register  # noqa: PLC0415  as above

        register(lifecycle)


def _route_table(app: FastAPI, default: Policy, lifecycle: Lifecycle, requests: str | None) -> Callable[[], RouteTable]:
    @cache
    def table() -> RouteTable:
        environment = lifecycle.environment
        made = RouteTable(app, default)
        for route, methods, policy in made.captured():
            from tidegate.mechanisms.caching import check  # noqa: PLC0415  only cached routes need it

            check(route, methods, policy)
        for route, policy in made.policies():
            _check(route, policy, environment)
            _check_overflow(route, policy, environment.settings, requests)
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


def _check_overflow(route: str, policy: Policy, settings: Settings, requests: str | None) -> None:
    """Refuse a route whose requests have nowhere to wait, or can't be found there."""
    if policy.overflow is None or settings.memory_only:  # one process alone has no queue: its limits refuse
        return
    if requests is None:
        raise ConfigurationError(
            "protect(requests=…)", f"{route} queues what its limits refuse; write requests='/v1/requests', say"
        )
    if settings.queue_url is None:
        raise ConfigurationError(
            "TIDEGATE_QUEUE_URL", f"{route} queues what its limits refuse; write the URL of an SQS FIFO queue"
        )
    if settings.table is None:
        raise ConfigurationError("TIDEGATE_TABLE", f"{route} keeps queued requests in DynamoDB; set TIDEGATE_TABLE")


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
