"""The checks at an application's start: whether its routes' policies, and its `identify`, can hold."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI

from tidegate.environment import Environment
from tidegate.errors import ConfigurationError
from tidegate.identity.caller import Caller, Identify
from tidegate.policy import Policy
from tidegate.routing import RoutePolicy, RouteTable
from tidegate.settings import Settings
from tidegate.startup.mode import say_mode
from tidegate.telemetry import logger

_IDENTIFY = "protect(identify=…)"
_WRITE = "write a function of the ASGI scope (a dict) that returns a str, or a tidegate.Caller, without waiting"
# A request without credentials, as `identify` gets it.
_ANYBODY: dict[str, Any] = {
    "type": "http",
    "method": "GET",
    "path": "/",
    "raw_path": b"/",
    "root_path": "",
    "query_string": b"",
    "scheme": "http",
    "headers": [],
    "client": ("192.0.2.1", 50000),
    "server": ("127.0.0.1", 80),
}


def check_identify(identify: Identify) -> None:
    """Refuse a function that can't find a principal, as far as its signature shows.

    Raises:
        ConfigurationError: it isn't callable with one scope, is async, or takes a Request.
    """
    if not callable(identify):
        raise ConfigurationError(_IDENTIFY, f"{identify!r} can't be called; {_WRITE}")
    run = identify if inspect.isroutine(identify) else getattr(identify, "__call__", identify)  # noqa: B004
    if inspect.iscoroutinefunction(run) or inspect.isasyncgenfunction(run) or inspect.isgeneratorfunction(run):
        raise ConfigurationError(_IDENTIFY, f"it is async or a generator, and nobody would await it; {_WRITE}")
    try:
        parameters = list(inspect.signature(identify).parameters.values())
        inspect.signature(identify).bind(_ANYBODY)
    except TypeError as error:
        raise ConfigurationError(_IDENTIFY, f"it isn't called with one argument ({error}); {_WRITE}") from error
    except ValueError:  # a builtin without a signature
        return
    kind = parameters[0].annotation
    name = kind if isinstance(kind, str) else getattr(kind, "__name__", "")
    if name.rpartition(".")[2] in {"Request", "HTTPConnection", "WebSocket"}:
        raise ConfigurationError(_IDENTIFY, f"it takes a {name}, and is given the ASGI scope; {_WRITE}")


def try_identify(identify: Identify) -> None:
    """Call it with a request without credentials.

    Its other exceptions are ignored, since middlewares would have put more members into the scope.

    Raises:
        ConfigurationError: it returns no caller, or it takes the scope for a Request.
    """
    try:
        found: Any = identify({**_ANYBODY, "state": {}})
    except AttributeError as error:
        if "'dict' object" not in str(error):
            return
        raise ConfigurationError(
            _IDENTIFY, f"it is given the ASGI scope, which is a dict ({error}); {_WRITE}"
        ) from error
    except Exception:  # noqa: BLE001  the application's own
        return
    if inspect.isawaitable(found):
        if inspect.iscoroutine(found):
            found.close()
        raise ConfigurationError(_IDENTIFY, f"it returned something to be awaited; {_WRITE}")
    principal = found.principal if isinstance(found, Caller) else found
    if not isinstance(principal, str) or not principal:
        raise ConfigurationError(
            _IDENTIFY,
            f"it returned {found!r} for a request without credentials; {_WRITE}, also for who is unknown: "
            "f\"ip:{scope['client'][0]}\", say",
        )


def check_routes(table: RouteTable, environment: Environment, requests: str | None, identify: Identify | None) -> None:
    """Refuse routes whose policies can't hold here, and warn if callers are told apart by credentials alone.

    Raises:
        ConfigurationError: such a route; the error names it or the setting, and what to write.
    """
    for route, methods, policy in table.captured():
        from tidegate.cache.lookup import check  # noqa: PLC0415  only cached routes need it

        check(route, methods, policy)
    by_default = []
    for route, policy in table.policies():
        _check_claims(route, policy, environment)
        if policy.idempotent and policy.claims is None:
            by_default.append(route)
        _check_overflow(route, policy, environment.settings, requests)
    say_mode(environment.settings, by_default)
    if identify is None:
        _warn_of_credentials(table)
    queued = {f"{each.method} {each.route}": each for each in table.routes() if each.policy.overflow is not None}
    if queued and not environment.settings.memory_only:
        from tidegate.overflow.checks import check as check_queued  # noqa: PLC0415  only for queued requests

        for each in queued.values():
            check_queued(each)


def check_application(app: FastAPI, guard: Callable[..., Any]) -> None:
    """Refuse an application that can't be protected any more, or is protected already.

    Raises:
        ConfigurationError: `protect` comes too late, or twice.
    """
    given: object = app
    if not isinstance(given, FastAPI):
        raise ConfigurationError(
            "protect(app)",
            f"it takes a FastAPI application, not {type(given).__name__}: the one in a middleware, or one that mounts "
            "yours",
        )
    if any(each.cls is guard for each in app.user_middleware):
        raise ConfigurationError("protect(app)", "this application is protected already; call it once")
    if app.middleware_stack is not None:
        raise ConfigurationError("protect(app)", "this application has served requests already; call it before")


def _warn_of_credentials(table: RouteTable) -> None:
    secured = [each for each in table.routes() if each.reads.secured and _keeps_answers(each)]
    if secured:
        named = ", ".join(sorted({f"{each.method} {each.route}" for each in secured}))
        logger().warning(
            "callers are told apart by what carries their credentials, not by who they are",
            extra={
                "routes": named,
                "detail": "a caller whose token is refreshed in between gets 422 for a retry, and no copy; one whose "
                "address changes is another caller, for whom a retry runs again; write protect(app, identify=…), "
                "unless an authorizer in front names them",
            },
        )


def _keeps_answers(route: RoutePolicy) -> bool:
    return route.policy.takes_claims or route.policy.captures


def _check_claims(route: str, policy: Policy, environment: Environment) -> None:
    """Refuse a route whose guarantee no configured store can give."""
    if not policy.idempotent:
        return
    if environment.settings.memory_only:
        return
    if policy.claims == "dynamodb" and environment.claims is None:
        raise ConfigurationError(
            "TIDEGATE_TABLE",
            f"{route} is idempotent and its claims need DynamoDB; set TIDEGATE_TABLE, or write claims='redis' in its "
            "policy if a handler may run twice when Redis loses its data",
        )
    if policy.claims == "redis" and not environment.settings.uses_redis:
        raise ConfigurationError("TIDEGATE_REDIS_URL", f"{route} keeps its claims in Redis; set TIDEGATE_REDIS_URL")


def _check_overflow(route: str, policy: Policy, settings: Settings, requests: str | None) -> None:
    """Refuse a route whose requests have no queue to wait in, or no address to be asked for."""
    if policy.overflow is None or settings.memory_only:  # a single process has no queue: its limits refuse
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
