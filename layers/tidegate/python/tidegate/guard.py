"""The guard: every request goes through its pipeline here, from its entry to its answer.

    identify ─ shed ─ read_claim ─ ADMIT ─ run ─ SETTLE

`Guard.__call__` is that line; `pipeline` has the stations in the same order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Receive, Scope, Send

from tidegate.compose import Lifecycle
from tidegate.errors import IdentityUnavailableError
from tidegate.guarded import GUARDED, GuardedApp
from tidegate.identity.caller import Identify
from tidegate.overflow.run import queued_run
from tidegate.pipeline import Pipeline
from tidegate.routing import RouteTable
from tidegate.startup.start import Start
from tidegate.web.asgi import ResponseSender
from tidegate.web.handshake import Handshake
from tidegate.web.problems import reduced_capacity

if TYPE_CHECKING:
    from tidegate.aws_lambda.web_adapter import WebAdapter
    from tidegate.identity.exemption import Exemption
    from tidegate.request_record import OnRequest
    from tidegate.web.own_refusals import Renders


class Guard:
    """Pure ASGI middleware that lets a request through, answers it from the stores, or refuses it.

    Args:
        app: what it protects.
        lifecycle: holds the environment's parts.
        routes: makes the route table at the first request, when all routes are declared.
        identify: finds the principal; the environment's `Identifier` if None.
        requests: the path below which queued requests are found; None if there is none.
        exempt: the reasons for which a request is exempt.
        refusal: the application's own responses for what is refused.
        on_request: is told of every request that has ended.
    """

    def __init__(  # noqa: PLR0913, PLR0917  what `protect` was told
        self,
        app: ASGIApp,
        lifecycle: Lifecycle,
        routes: Callable[[], RouteTable],
        identify: Identify | None = None,
        requests: str | None = None,
        exempt: tuple[Exemption, ...] = (),
        refusal: Renders | None = None,
        on_request: OnRequest | None = None,
    ) -> None:
        self._guarded = GuardedApp(app, routes, identify, requests or "", exempt, refusal, on_request)
        self._lifecycle = lifecycle
        self._adapter: WebAdapter | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one request from its entry to its answer."""
        if scope["type"] == "lifespan":
            await Start(self._guarded.app, self._guarded.routes, self._lifecycle)(scope, receive, send)
            return
        if GUARDED in scope and self._guarded.is_asked_outside(scope):
            await self._guarded.app(scope, receive, send)
            return
        out = ResponseSender(send) if scope["type"] == "http" else Handshake(scope, receive, send)
        pipeline = self._pipeline(scope, receive, out)
        try:
            pipeline.context = pipeline.identify()
            refusal = pipeline.shed() or await pipeline.read_claim()
            await (pipeline.admit_and_run() if refusal is None else pipeline.refuse(refusal))
        except IdentityUnavailableError as error:
            await pipeline.refuse(reduced_capacity(f"Who asks can't be known now: {error}."))
        except Exception as error:
            # It passes on to the application's middlewares, which may roll back or answer it; at last Starlette does.
            await pipeline.fail(error, out)
            raise
        finally:
            pipeline.exit_context()
            if not out.gone:
                await pipeline.settle()
            self._lifecycle.after_request()
        if pipeline.error is not None:
            raise pipeline.error

    def _pipeline(self, scope: Scope, receive: Receive, out: ResponseSender) -> Pipeline:
        if GUARDED in scope:  # a handler has made it of its own scope, whose view of its admission stays
            scope = {**scope, "state": dict(scope.get("state", ()))}
        settings = self._lifecycle.environment.settings
        if (settings.web_adapter or settings.on_lambda) and "aws.context" not in scope:
            self._read_adapter(scope, believed=settings.web_adapter)
        environment, run = self._lifecycle.environment, queued_run(scope)
        if run is None:
            return Pipeline(self._guarded, environment, scope, receive, out)
        from tidegate.overflow.queued_pipeline import QueuedPipeline  # noqa: PLC0415  only a worker runs such

        return QueuedPipeline(run, self._guarded, environment, scope, receive, out)

    def _read_adapter(self, scope: Scope, *, believed: bool) -> None:
        """Add what AWS Lambda Web Adapter says of the invocation, on a server in a function's sandbox."""
        if self._adapter is None:
            from tidegate.aws_lambda.web_adapter import WebAdapter  # noqa: PLC0415  only on a server on Lambda

            self._adapter = WebAdapter(believed=believed, restored=self._lifecycle.renew)
        self._adapter.tell(scope)
