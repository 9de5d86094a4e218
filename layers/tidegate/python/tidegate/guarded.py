"""What a pipeline is about: the guarded application, and one request to it once it is identified."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from starlette.types import ASGIApp, Scope, Send

from tidegate.admission import Admission
from tidegate.identity.caller import Caller, Identify
from tidegate.policy import Policy
from tidegate.routing import HANDSHAKE, UNMATCHED, RoutePolicy, RouteTable
from tidegate.telemetry import RequestLine, write
from tidegate.web.asgi import respond
from tidegate.web.problems import Problem

if TYPE_CHECKING:
    from tidegate.cache.lookup import Caching
    from tidegate.environment import Environment
    from tidegate.identity.exemption import Exemption
    from tidegate.request_record import OnRequest
    from tidegate.web.own_refusals import Renders

# Where a guard notes in the scope what it guards.
GUARDED = "tidegate.guarded"


class Guarded(NamedTuple):
    """The note of a guard in a request's scope.

    Attributes:
        by: the guard's application.
        path: the request's.
        method: likewise.
        policy: what is enforced.
    """

    by: GuardedApp
    path: str
    method: str
    policy: Policy


class GuardedApp(NamedTuple):
    """An application, and what its guard was told of it.

    Attributes:
        app: the application.
        routes: makes the route table at the first request, when all routes are declared.
        identify: finds the principal; None: the environment's `Identifier` does.
        requests: the path below which queued requests are found; empty if there is none.
        exempt: the reasons for which a request is exempt.
        renders: the application's own responses for what is refused.
        on_request: is told of every request that has ended.
    """

    app: ASGIApp
    routes: Callable[[], RouteTable]
    identify: Identify | None
    requests: str
    exempt: tuple[Exemption, ...] = ()
    renders: Renders | None = None
    on_request: OnRequest | None = None

    def note(self, scope: Scope, policy: Policy) -> Guarded:
        """Return the note on a request that is guarded under a policy."""
        method = scope.get("method", HANDSHAKE)
        return Guarded(self, scope["path"], "GET" if method == "HEAD" else method, policy)

    def is_asked_outside(self, scope: Scope) -> bool:
        """Whether a guard around this one has asked for the same request under the same policy, so that it needn't.

        A request that a handler makes of its own scope, to this application or another one, is another request.
        """
        outer: Guarded = scope[GUARDED]
        own = self.note(scope, self.routes().find(scope).policy)
        same = (outer.path, outer.method) == (own.path, own.method) and outer.policy is own.policy
        return same and outer.by is not self

    def report(self, line: RequestLine, scope: Scope, environment: Environment) -> None:
        """Write a request's line when it has ended, and tell the application and its test of it."""
        request_id, settings = getattr(scope.get("aws.context"), "aws_request_id", None), environment.settings
        if environment.heard is not None:
            environment.heard(line)
        write(line, request_id, settings.release, settings.log_sample)
        if self.on_request is not None:
            from tidegate.request_record import tell  # noqa: PLC0415  only where somebody asks

            tell(self.on_request, line, request_id, settings.release)

    def exempted(self, scope: Scope, route: RoutePolicy, caller: Caller, environment: Environment) -> Caller:
        """Return a request's caller, exempt if the application says so."""
        if not self.exempt:
            return caller
        from tidegate.identity.exemption import exempted  # noqa: PLC0415  only with exemptions

        return exempted(self.exempt, scope, route.route, caller, environment.identify)

    async def refuse(self, send: Send, problem: Problem, scope: Scope, context: RequestContext) -> None:
        """Send a refusal, in the application's own words if it has some."""
        if self.renders is None:
            await respond(send, problem)
            return
        from tidegate.web.own_refusals import refusal_of, refuse  # noqa: PLC0415  only with own refusals

        route, principal = context.route.route, context.caller.principal
        await refuse(send, problem, self.renders, lambda: refusal_of(problem, scope, principal, route))


class RequestContext(NamedTuple):
    """What is known of a request once it is identified.

    Attributes:
        route: its route.
        policy: the route's.
        caller: who asks.
        subject: whose state its limits are part of, as in the question.
        admission: what its handler may know, `request.state.tidegate`.
        changed: the path that it changes, if it does and something of the application is cached.
        cache: its part of the cache; None on routes whose answers are given to nobody else.
    """

    route: RoutePolicy
    policy: Policy
    caller: Caller
    subject: str
    admission: Admission
    changed: str | None
    cache: Caching | None

    @property
    def asks_nothing(self) -> bool:
        """Whether the request, if it has no key, needs no store before it runs."""
        exempt = self.caller.exempt and self.policy.idempotent is not True and self.policy.cache is None
        return exempt or self.policy.asks_nothing


_NO_POLICY = Policy()
NOT_IDENTIFIED = RequestContext(
    route=RoutePolicy(UNMATCHED, UNMATCHED, _NO_POLICY),
    policy=_NO_POLICY,
    caller=Caller("unknown"),
    subject="",
    admission=Admission("unknown", UNMATCHED),
    changed=None,
    cache=None,
)
