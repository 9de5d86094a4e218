"""`protect`: puts the guard in front of an application."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.middleware import Middleware

from tidegate.compose import Lifecycle
from tidegate.environment import PATIENCE_S
from tidegate.guard import Guard
from tidegate.health import Health, HealthCheck
from tidegate.identity.caller import Caller, Identify
from tidegate.limits.token_bucket import TokenBucket
from tidegate.policy import Policy
from tidegate.redis_clients import check_redis
from tidegate.routing import RouteTable
from tidegate.settings import Settings
from tidegate.startup.checks import check_application, check_identify, check_routes, try_identify
from tidegate.startup.policies import check_policies, say_policies
from tidegate.web.documented import document
from tidegate.web.error_handlers import install

if TYPE_CHECKING:
    from redis import Redis, RedisCluster
    from starlette.responses import Response

    from tidegate.idempotency.unknown_outcome import NotRun
    from tidegate.identity.exemption import Exemption
    from tidegate.limits.peek import Left
    from tidegate.overflow.worker import Worker
    from tidegate.request_record import OnRequest
    from tidegate.web.own_refusals import Renders

DEFAULT_POLICY = Policy(limits=(TokenBucket("50/s", burst=100),))


class Gate:
    """The handle of a protected application.

    Args:
        lifecycle: makes and closes the environment.
        routes: makes the application's route table.
    """

    def __init__(self, lifecycle: Lifecycle, routes: Callable[[], RouteTable]) -> None:
        self._lifecycle = lifecycle
        self._routes = routes
        self._checked = HealthCheck(self._check)

    @property
    def settings(self) -> Settings:
        """The settings in force.

        Raises:
            ConfigurationError: one of them is wrong.
        """
        return self._lifecycle.environment.settings

    async def health(self) -> Health:
        """Return the state of every store, at most a second old.

        The stores are asked with short timeouts, by one check at a time and at most one a second, however often this
        is called.
        """
        await self._checked()
        environment = self._lifecycle.environment
        return Health.of(environment.stores.states, environment.stores.current, environment.settings.mode)

    async def _check(self) -> None:
        environment = self._lifecycle.environment
        await environment.call(lambda: environment.stores.check(PATIENCE_S))

    async def peek(self, caller: str | Caller, method: str, path: str) -> tuple[Left, ...]:
        """Return what is left of a route's limits for a caller, without charging anything.

        Args:
            caller: a principal, as in `request.state.tidegate`, or a `Caller` with an organisation or a time zone.
            method: the request's method, in capitals.
            path: the request's path.

        Returns:
            One `Left` for each limit that applies to the caller, in order; none if no store could be asked.
        """
        from tidegate.limits.peek import peek  # noqa: PLC0415  rarely asked for

        return await peek(self._lifecycle.environment, self._routes(), caller, method, path)

    def observe(self, dependency: str, milliseconds: float) -> None:
        """Report how long a call to a dependency took; when the dependency is slow, load is shed.

        Args:
            dependency: `database`, whose thresholds are TIDEGATE_SHED_DATABASE_MS; other names have no effect.
            milliseconds: the call's duration, with or without an error.
        """
        self._lifecycle.environment.shedder.observe(dependency, milliseconds)

    def worker(self, app: FastAPI) -> Worker:
        """Return the Lambda handler that runs the queued requests of an application, which this gate protects."""
        from tidegate.overflow.worker import Worker  # noqa: PLC0415  only a worker needs it

        return Worker(app, lambda: self._lifecycle.environment)

    async def decide(self, claim: str, outcome: Response | NotRun) -> bool:
        """Decide on an attempt whose outcome isn't known (`on_unknown="hold"`).

        Args:
            claim: its name in the log line `outcome unknown`.
            outcome: the response that every retry gets, or `NOT_RUN` if the attempt had no effect; then a retry runs
                the handler.

        Returns:
            False if nothing is unknown any more: it was decided, or the attempt has ended after all.

        Raises:
            ValueError: `claim` is no such name, or `outcome` is something else.
            StoreUnavailableError: the store that holds the claim doesn't answer.
        """
        from tidegate.idempotency.unknown_outcome import decide  # noqa: PLC0415  rarely needed

        return await decide(claim, outcome, self._lifecycle.environment)

    async def invalidate(self, *tags: str) -> bool:
        """Void the copies with one of these tags, as `request.state.tidegate.invalidate` does."""
        from tidegate.cache.invalidation import Invalidator  # noqa: PLC0415  only for invalidation

        return await Invalidator(self._lifecycle.environment, self._routes()).void(tags)

    def close(self) -> None:
        """Close connections; the next request opens new ones."""
        self._lifecycle.close()


def protect(  # noqa: PLR0913  one keyword for each thing that an application may ask for
    app: FastAPI,
    *,
    default: Policy = DEFAULT_POLICY,
    settings: Settings | None = None,
    redis: Redis | RedisCluster | None = None,
    identify: Identify | None = None,
    problems: bool = True,
    requests: str | None = None,
    credentials: Collection[str] = (),
    policies: Mapping[str, Policy] | None = None,
    exempt: Iterable[Exemption] = (),
    refusal: Renders | None = None,
    openapi: bool = True,
    on_request: OnRequest | None = None,
) -> Gate:
    """Protect an application: every request goes through the guard, and errors become problem details.

    The guard is the innermost of the application's middlewares, whether they are added before or after. They see its
    responses, and `identify` sees the members that they put into the scope, such as a session or a user.

    Args:
        app: the application; its routes may be declared before or after.
        default: the policy of routes without one, and of requests that match no route.
        settings: used in place of the `TIDEGATE_*` variables.
        redis: the application's own redis-py client, used in place of a URL (TIDEGATE_REDIS_URL): a `redis.Redis`, a
            `redis.RedisCluster`, a Sentinel's `master_for`, or a `fakeredis.FakeRedis`. It isn't closed.
        identify: finds the principal of an ASGI scope, in place of API key, authorizer or address.
        problems: whether the application's own error responses become problem details, too.
        requests: the path, such as `/v1/requests`, below which queued requests are found and cancelled; needed if a
            route has `overflow="queue"`.
        credentials: header fields that carry a caller's credentials, beside those that the routes' dependencies read
            and those whose names suggest it. A response made under one credential is given under no other.
        policies: policies by path, such as `{"/admin": Policy(…)}`, of all routes at or below it that have none of
            their own, and of requests there that match no route. The longest path counts.
        exempt: the requests that no limit is charged for and that are never shed.
        refusal: makes the response to what is refused, in place of a problem: a function of a `Refusal`, or one for
            each status or problem type.
        openapi: whether the application's OpenAPI document shows what the guard answers and reads: refusals, fields
            and the Idempotency-Key parameter, for each route what its policy can do.
        on_request: is called with the record of every request that has ended, to count or trace it; what it raises
            hurts no request. It runs on the event loop, and mustn't wait.

    Raises:
        ConfigurationError: the default policy, or one by path, is idempotent or cached, the application is protected or
            in use already, `identify` isn't a suitable function, `redis` is no client that can decide, or, on Lambda, a
            setting is wrong. Elsewhere a wrong setting stops the application's start-up (lifespan), or its first
            request.
    """
    by_path = dict(policies or {})
    check_policies(default, by_path)
    check_application(app, Guard)
    if refusal is not None:
        from tidegate.web.own_refusals import check_renders  # noqa: PLC0415  only with own refusals

        check_renders(refusal)
    if identify is not None:
        check_identify(identify)
    check_redis(redis)
    lifecycle = Lifecycle(lambda: _settings(settings, redis).named_after(app.title))
    told = tuple(name.lower() for name in credentials)
    routes = _Routes(app, default, lifecycle, requests, identify, told, by_path)
    if openapi:
        routes.documents = partial(document, app, routes.read, own_refusals=refusal is not None)
        routes.documents()
    # The innermost: the application's middlewares see every response, and have read the credentials before.
    app.user_middleware.append(
        Middleware(
            Guard,
            lifecycle=lifecycle,
            routes=routes,
            identify=identify,
            requests=requests,
            exempt=tuple(exempt),
            refusal=refusal,
            on_request=on_request,
        )
    )
    if requests is not None:
        from tidegate.overflow.routes import requests_router  # noqa: PLC0415  only with a queue

        app.include_router(requests_router(requests, lambda: lifecycle.environment))
    if problems:
        install(app)
    if settings.on_lambda if settings else "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        _ = lifecycle.environment
    if "AWS_LAMBDA_FUNCTION_VERSION" in os.environ:  # not by the settings: only a real Lambda sends these signals
        _follow(lifecycle)
    return Gate(lifecycle, routes)


def _settings(settings: Settings | None, redis: Redis | RedisCluster | None) -> Settings:
    if settings is None:
        return Settings.from_environ(os.environ, redis)
    return settings if redis is None else replace(settings, redis=redis)


def _follow(lifecycle: Lifecycle) -> None:
    """Install the handlers of Lambda's SIGTERM and SnapStart, unless a server behind the web adapter has its own."""
    if lifecycle.environment.settings.web_adapter:
        return
    from tidegate.aws_lambda.signals import close_at_sigterm  # noqa: PLC0415  only on Lambda

    close_at_sigterm(lifecycle)
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
        from tidegate.aws_lambda.signals import register  # noqa: PLC0415  as above

        register(lifecycle)


def _nothing() -> None:
    """Document nothing."""


class _Routes:
    """Makes the route table at first use, and anew when the application's routes have changed."""

    def __init__(  # noqa: PLR0917  what `protect` was told
        self,
        app: FastAPI,
        default: Policy,
        lifecycle: Lifecycle,
        requests: str | None,
        identify: Identify | None,
        credentials: Collection[str],
        policies: Mapping[str, Policy],
    ) -> None:
        self._app = app
        self._policies = policies
        self._default = default
        self._lifecycle = lifecycle
        self._requests = requests
        self._identify = identify
        self._credentials = credentials
        self._table: RouteTable | None = None
        # Lets applications document the guard; again when routes have changed, since one may have been mounted.
        self.documents: Callable[[], None] = _nothing

    def read(self) -> RouteTable:
        """Return the table of the present routes, without a look at the stores."""
        return RouteTable(self._app, self._default, self._credentials, self._policies)

    def __call__(self) -> RouteTable:
        """Return the table of the present routes.

        Raises:
            ConfigurationError: a route's policy can't hold, or a setting is wrong.
        """
        table = self._table
        if table is None or table.outdated:
            environment = self._lifecycle.environment
            if table is None and self._identify is not None:
                try_identify(self._identify)
            table = self.read()
            self.documents()
            say_policies(table)
            check_routes(table, environment, self._requests, self._identify)
            self._table = table
        return table
