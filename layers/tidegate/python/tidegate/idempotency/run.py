"""The run of a handler under an idempotency claim: captured, settled, and only then told to the client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from starlette.types import ASGIApp, Scope

from tidegate.enforcement import Execution, execution
from tidegate.environment import Environment
from tidegate.errors import ClaimLostError, StoreUnavailableError
from tidegate.idempotency import protocol
from tidegate.idempotency.held_claim import HeldClaim
from tidegate.messages import Charge
from tidegate.policy import Policy
from tidegate.telemetry import logger
from tidegate.web.asgi import ResponseRecorder, ResponseSender, send_whole
from tidegate.web.body import Reread
from tidegate.web.problems import Problem
from tidegate.web.recorded_scope import recorded, tell_route
from tidegate.web.stored_response import StoredResponse


class IdempotentRun(NamedTuple):
    """One run of the application under a claim.

    Attributes:
        app: the application.
        environment: the environment's parts.
        held: the claim that is held.
        policy: the route's.
        out: the way to the client.
        take_corrections: takes the corrections of what the request was charged, as the settlement can carry them.
        refuse: answers with a problem.
        fail: logs an unhandled exception and answers it.
        late: whether a dependency ends after the answer is sent, with a commit, say: then only its end makes the answer
            true, and the answer waits for it.
    """

    app: ASGIApp
    environment: Environment
    held: HeldClaim
    policy: Policy
    out: ResponseSender
    take_corrections: Callable[[], tuple[Charge, ...]]
    refuse: Callable[[Problem], Awaitable[None]]
    fail: Callable[[Exception, ResponseRecorder | ResponseSender], Awaitable[None]]
    late: bool

    async def run(self, scope: Scope, receive: Reread) -> None:
        """Run the application and deliver its answer once it is settled."""
        begun, delayed, inner = Execution(self.policy), list[StoredResponse](), _whole(recorded(scope))

        async def deliver(response: StoredResponse) -> None:
            tell_route(scope, inner)
            await self._settle(response, begun=begun.begun)
            receive.answered()

        async def hold(response: StoredResponse) -> None:
            delayed.append(response)

        captured = ResponseRecorder(hold if self.late else deliver)
        token = execution.set(begun)
        try:
            await self.app(inner, receive, captured)
            if delayed:
                await deliver(delayed[0])
        except ClaimLostError:
            if self.late or not captured.complete:
                await self.refuse(protocol.superseded())
        except Exception as error:  # noqa: BLE001  the application's, whatever it is: kept, and raised by the guard
            told = captured.complete and not self.late
            await self.fail(error, captured if told else ResponseRecorder(partial(self._keep_failure, begun)))
        finally:
            captured.close()
            tell_route(scope, inner)
            execution.reset(token)

    async def _keep_failure(self, begun: Execution, response: StoredResponse) -> None:
        """Keep what a retry is to get of a failure; the exception passes on to those who answer it now."""
        if not await self._keep(response, begun=begun.begun):
            await self.refuse(protocol.superseded())

    async def _settle(self, response: StoredResponse, *, begun: bool) -> None:
        """Keep the answer for replays or give the claim up, then answer."""
        own = await self._keep(response, begun=begun)
        with suppress(OSError):  # the client has gone; its retry will be answered
            await (send_whole(self.out, response) if own else self.refuse(protocol.superseded()))

    async def _keep(self, response: StoredResponse, *, begun: bool) -> bool:
        """Keep the answer for replays or give the claim up; False if another attempt's answer counts, or may count."""
        binds = protocol.binds(response, begun=begun, keep_5xx=self.policy.keep_5xx)
        record = protocol.record_of(response) if binds else None
        try:
            return await self.environment.claiming(lambda: self.held.settle(record, self.take_corrections))
        except StoreUnavailableError as error:
            # The effect has happened: the client must learn of it, though a retry may have to wait for the hold.
            # Past the hold another attempt's answer may count: a retry will learn which.
            logger().warning("answer not kept", extra={"store": error.store, "fault": error.kind})
            return self.held.sure_ms > 0


def _whole(scope: Scope) -> Scope:
    """Ask for an answer in no coding: it is kept for whoever retries, and middlewares outside compress it for each."""
    scope["headers"] = [field for field in scope["headers"] if field[0] != b"accept-encoding"]
    return scope
