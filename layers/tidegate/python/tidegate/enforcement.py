"""What `@policy` puts around a handler: it knows whether the guard let this very request through under this policy.

An application may have any shape, and the guard finds a route's policy only in those that it knows. The wrapper runs
wherever the handler runs. Where nothing admitted the request, a handler that takes claims isn't run, and one with
limits alone says so once. So no shape of an application can lose its protection silently.

It also marks when a handler's own code begins, which is when its outcome starts to bind (Stripe's rule), and it
stands in for a handler whose answer is known already: everything in front of the handler, the application's own
authentication and validation, runs for a replay as for a first request.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar, cast

from tidegate.errors import ConfigurationError, UnguardedError
from tidegate.telemetry import logger

if TYPE_CHECKING:
    from tidegate.policy import Policy

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

_MARK = "__tidegate_enforces__"


class Execution:
    """One request's run of the application, as the guard admitted it.

    Attributes:
        policy: what the guard has found for the request, and enforced.
        begun: whether the handler's own code has begun.
        known: whether the handler's answer is known already, so that it isn't to run.
        reached: whether the handler would have run, had its answer not been known.
    """

    __slots__ = ("begun", "known", "policy", "reached")

    def __init__(self, policy: Policy, *, known: bool = False) -> None:
        self.policy = policy
        self.begun = False
        self.known = known
        self.reached = False


execution: ContextVar[Execution | None] = ContextVar("tidegate_execution", default=None)


def enforced(endpoint: Endpoint, policy: Policy) -> Endpoint:
    """Wrap an endpoint so that it runs under its policy or says that it doesn't.

    Raises:
        ConfigurationError: it is a class, has a policy already, or is a generator whose policy takes claims.
    """
    name = getattr(endpoint, "__qualname__", repr(endpoint))
    if enforces(endpoint):
        raise ConfigurationError(f"@policy on {name}", "it has a policy already; write all that it asks for in one")
    if inspect.isclass(endpoint):
        raise ConfigurationError(f"@policy on {name}", "a class has no one answer; write it on the class's methods")
    run = _run_by(endpoint)
    generates = inspect.isasyncgenfunction(run) or inspect.isgeneratorfunction(run)
    if generates and policy.takes_claims:
        raise ConfigurationError(
            f"policy(idempotent=…, overflow=…) on {name}", "a generator has no one answer to replay; return it whole"
        )
    wrapped = cast("Endpoint", _wrapped(endpoint, policy))
    setattr(wrapped, _MARK, True)
    return wrapped


def enforces(endpoint: object) -> bool:
    """Whether an endpoint is wrapped; a policy written above the route's decorator can't wrap what the route holds."""
    return hasattr(endpoint, _MARK)


def _run_by(endpoint: Callable[..., Any]) -> Any:
    """Return what runs when an endpoint is called: a callable object's method, a partial's function."""
    while isinstance(endpoint, functools.partial):
        endpoint = endpoint.func
    return endpoint if inspect.isroutine(endpoint) else getattr(endpoint, "__call__", endpoint)  # noqa: B004


def _wrapped(endpoint: Callable[..., Any], policy: Policy) -> Callable[..., Any]:
    warned: list[bool] = []
    if inspect.iscoroutinefunction(_run_by(endpoint)):

        @functools.wraps(endpoint)
        async def begin_async(*args: Any, **kwargs: Any) -> Any:
            current = execution.get()
            if current is not None and current.policy is policy and not current.known:
                current.begun = True
            elif (stand_in := _enter(current, endpoint, policy, warned)) is not None:
                return stand_in
            return await endpoint(*args, **kwargs)

        return begin_async

    @functools.wraps(endpoint)
    def begin(*args: Any, **kwargs: Any) -> Any:
        current = execution.get()
        if current is not None and current.policy is policy and not current.known:
            current.begun = True
        elif (stand_in := _enter(current, endpoint, policy, warned)) is not None:
            return stand_in
        return endpoint(*args, **kwargs)

    return begin


def _enter(current: Execution | None, endpoint: Callable[..., Any], policy: Policy, warned: list[bool]) -> Any:
    """Return what stands in for the handler's answer if that is known; None: it may run, though nothing guards it.

    Raises:
        UnguardedError: nothing admitted this request under this policy, and it takes claims.
    """
    if current is not None and current.policy is policy:
        from starlette.responses import Response  # noqa: PLC0415  only replays need it

        current.reached = True
        return Response(status_code=204)
    name = f"{endpoint.__module__}.{getattr(endpoint, '__qualname__', endpoint)}"
    if policy.takes_claims:
        error = UnguardedError(name)
        logger().error("handler not run: its policy isn't in force", extra={"handler": name, "detail": str(error)})
        raise error
    if not warned:
        warned.append(True)
        logger().warning("a policy isn't in force", extra={"handler": name, "detail": str(UnguardedError(name))})
    return None
