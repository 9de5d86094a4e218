"""The run of a handler under an idempotency claim: captured, settled, and only then told to the client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple

from starlette.types import ASGIApp, Scope

from tidegate.asgi import Captured, Outgoing, send_whole
from tidegate.body import Reread
from tidegate.errors import ClaimLostError, StoreUnavailableError
from tidegate.http import Problem
from tidegate.lifecycle import Environment
from tidegate.mechanisms import idempotency
from tidegate.mechanisms.holding import Holding
from tidegate.policy import Execution, execution
from tidegate.question import Charge
from tidegate.record import StoredResponse
from tidegate.telemetry import logger


class ClaimedRun(NamedTuple):
    """One run of the application under a claim.

    Attributes:
        app: the application.
        environment: the environment's parts.
        holding: the claim that is held.
        keep_5xx: whether a handler's 500 and above binds.
        out: the way to the client.
        due: takes what is still to be put right of what the request was charged, as the settlement can carry it.
        refuse: answers with a problem.
        fail: logs an unhandled exception and answers it.
    """

    app: ASGIApp
    environment: Environment
    holding: Holding
    keep_5xx: bool
    out: Outgoing
    due: Callable[[], tuple[Charge, ...]]
    refuse: Callable[[Problem], Awaitable[None]]
    fail: Callable[[Exception, Captured | Outgoing], Awaitable[None]]

    async def run(self, scope: Scope, receive: Reread) -> None:
        """Run the application and deliver its answer once it is settled."""
        begun = Execution()

        async def deliver(response: StoredResponse) -> None:
            await self._settle(response, begun=begun.begun)
            receive.answered()

        captured = Captured(deliver)
        token = execution.set(begun)
        try:
            # Without the server's extensions: one of them sends files past us.
            await self.app({**scope, "extensions": {}}, receive, captured)
        except ClaimLostError:
            if not captured.complete:
                await self.refuse(idempotency.superseded())
        except Exception as error:  # noqa: BLE001  the application's, whatever it is: logged, and answered as a 500
            await self.fail(error, captured if captured.complete else Captured(deliver))
        finally:
            execution.reset(token)

    async def _settle(self, response: StoredResponse, *, begun: bool) -> None:
        """Keep the answer for replays or give the claim up, then answer."""
        binds = idempotency.binds(response, begun=begun, keep_5xx=self.keep_5xx)
        record = idempotency.record_of(response) if binds else None
        try:
            own = await self.environment.call(lambda: self.holding.settle(record, self.due))
        except StoreUnavailableError as error:
            # The effect has happened: the client must learn of it, though a retry may have to wait for the hold.
            # Past the hold another attempt's answer may count: a retry will learn which.
            logger().warning("answer not kept", extra={"store": error.store, "fault": error.kind})
            own = self.holding.sure_ms > 0
        with suppress(OSError):  # the client has gone; its retry will be answered
            await (send_whole(self.out, response) if own else self.refuse(idempotency.superseded()))
