"""FastAPI's dependencies: `Admitted` gives a handler its admission, `limited` declares limits without a decorator."""

from __future__ import annotations

from typing import Annotated, Never

from fastapi import Depends
from starlette.requests import HTTPConnection

from tidegate.admission import Admission
from tidegate.enforcement import execution
from tidegate.errors import ConfigurationError
from tidegate.limits.limit import Limit
from tidegate.messages import OnOutage
from tidegate.policy import Policy, Priority
from tidegate.telemetry import logger


async def _admission(connection: HTTPConnection) -> Admission:
    found = getattr(connection.state, "tidegate", None)
    if not isinstance(found, Admission):
        raise ConfigurationError("Admitted", "nothing guards this application; call protect(app)")
    return found


# `admitted: Admitted` in a handler's signature is its `request.state.tidegate`.
Admitted = Annotated[Admission, Depends(_admission)]


class Limited:
    """A dependency that stands for a policy; made by `limited`.

    Attributes:
        policy: the policy of the routes that depend on it and have no `@policy`.
        replaced_by: the more specific policies of routes that depend on it, too; filled when routes are read.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.replaced_by: list[Policy] = []
        self._warned = False

    async def __call__(self) -> None:
        """Warn once if the guard hasn't found this policy, or a more specific one, for the request."""
        current = execution.get()
        in_force = current is not None and any(current.policy is each for each in (self.policy, *self.replaced_by))
        if not in_force and not self._warned:
            self._warned = True
            detail = "the guard doesn't know this route; call protect(app) on the application that serves it"
            logger().warning("a policy isn't in force", extra={"handler": "Depends(limited(…))", "detail": detail})


def limited(
    *limits: Limit | str, priority: Priority = "normal", on_outage: OnOutage = "share", **elsewhere: Never
) -> Limited:
    """Declare limits as a dependency: `dependencies=[Depends(limited("10/s"))]` of a route, a router or an application.

    The guard reads it when it reads the routes, and charges before any dependency runs, as with `@policy`. The most
    specific counts alone: a route's `@policy`, else its own dependency, else its router's.

    Args:
        limits: limits, or rates, each of which stands for a `TokenBucket`.
        priority: as in `Policy`.
        on_outage: as in `Policy`.
        elsewhere: nothing; the rest of a policy needs `@policy`, which wraps the handler.

    Raises:
        ConfigurationError: an argument is wrong, or needs `@policy`.
    """
    if elsewhere:
        raise ConfigurationError(
            f"limited({', '.join(elsewhere)}=…)",
            "a dependency runs beside the handler and can't hold this; write @policy under the route's decorator",
        )
    from tidegate.limits.token_bucket import TokenBucket  # noqa: PLC0415  only for rates

    made = tuple(TokenBucket(limit) if isinstance(limit, str) else limit for limit in limits)
    return Limited(Policy(limits=made, priority=priority, on_outage=on_outage))
