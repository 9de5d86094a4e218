"""The pipeline of a queued request: it was accepted before, and its worker runs it under a claim of its own."""

from __future__ import annotations

from starlette.types import Receive, Scope

from tidegate.environment import Environment
from tidegate.guarded import GuardedApp, RequestContext
from tidegate.idempotency.protocol import Found
from tidegate.idempotency.read_ahead import read_ahead
from tidegate.identity.caller import Caller
from tidegate.overflow.run import QueuedRun
from tidegate.pipeline import Pipeline
from tidegate.web.asgi import ResponseSender
from tidegate.web.problems import Problem
from tidegate.web.stored_response import StoredResponse


class QueuedPipeline(Pipeline):
    """One attempt to run a queued request.

    Args:
        run: the attempt.
        guarded: the application.
        environment: the environment's parts.
        scope: the request's.
        receive: gives its body.
        out: the way to the worker.
    """

    def __init__(
        self,
        run: QueuedRun,
        guarded: GuardedApp,
        environment: Environment,
        scope: Scope,
        receive: Receive,
        out: ResponseSender,
    ) -> None:
        super().__init__(guarded._replace(app=run.beginning(guarded.app)), environment, scope, receive, out)
        self._run = run

    def identify(self) -> RequestContext:
        """Find the route and its policy; who asks was found when the request was accepted."""
        context = super().identify()
        context.admission.queued = True
        return context

    def _caller(self) -> Caller:
        return self._run.caller

    def shed(self) -> Problem | None:
        """Refuse nothing: what is queued was accepted, and its worker runs no more than it can."""
        self.context.admission.criticality = self.context.policy.priority
        return None

    async def read_claim(self) -> Problem | None:
        """Read the body; the claim's key and fingerprint are those of the time when the request was accepted.

        What credentials it was made under isn't kept, so that the fingerprint can't be computed again.
        """
        caller, route = self.context.caller, self.context.route
        read = await read_ahead(self._scope, self._receive, route, caller.principal, made_under="", uploads=None)
        if read is None or isinstance(read, Problem):
            return read
        self._read = read
        self.attempt = self._attempt(self._run.key, self._run.fingerprint or read.fingerprint, read)
        return None

    async def _overflow(self, refusal: Problem, passes_in_us: int | None) -> Problem | StoredResponse:
        """Tell the worker when the request would pass: it is queued already."""
        self._run.passes_in_us = passes_in_us
        return refusal

    async def replay(self, found: Found) -> None:
        """Answer what is known: the application's authentication can't run, for no credentials are kept."""
        await self._tell(found)
