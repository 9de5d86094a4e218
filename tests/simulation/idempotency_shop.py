"""The application that is simulated: handlers that may stop anywhere, fenced as the shop's orders are, or not."""

from enum import IntEnum
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.simulation.idempotency_dynamodb import ConditionFailedError
from tests.simulation.idempotency_ledger import Run
from tidegate import Policy, TokenBucket, policy
from tidegate.admission import Claim
from tidegate.errors import StoreUnavailableError
from tidegate.routing import RouteTable
from tidegate.web.error_handlers import install

if TYPE_CHECKING:
    from tests.simulation.idempotency_request import SimulatedRequest


class Fate(IntEnum):
    """What a handler meets in one run."""

    WELL = 0
    SOLD_OUT = 1  # refuses, without an effect
    BREAKS_BEFORE = 2  # raises, before the effect
    BREAKS_AFTER = 3
    BUSY = 4  # 503, which isn't kept


class _Door:
    """In the guard's place: gives each request to the guard of the environment that it came to."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked: SimulatedRequest = scope["simulation"]
        await asked.environment.guard(self._app)(scope, receive, send)


app = FastAPI(openapi_url=None)
app.add_middleware(_Door)
install(app)


async def _fenced(request: Request) -> Response:
    """As functions/api: the effect and the fence in one transaction, under an id that the claim's id makes."""
    asked, claim = _begin(request)
    try:
        await asked.pause()
        if asked.fate in {Fate.SOLD_OUT, Fate.BREAKS_BEFORE} and not asked.order(claim):
            _break_if(asked, Fate.BREAKS_BEFORE)
            return _answer({"type": "sold-out"}, 409)
        if asked.fate == Fate.BUSY:
            return _declined(asked)
        await asked.pause()
        return await _commit(asked, claim)
    except StoreUnavailableError:
        return _declined(asked)


async def _commit(asked: "SimulatedRequest", claim: Claim) -> Response:
    try:
        asked.commit(claim)
    except ConditionFailedError as refused:
        if refused.place == 0:
            return _answer({"type": "claim-superseded"}, 409)
        await asked.pause()
        return _answer(asked.order(claim), 201)
    await asked.pause()
    _break_if(asked, Fate.BREAKS_AFTER)
    return _answer(asked.order(claim), 201)


async def _unfenced(request: Request) -> Response:
    """Its effect is made whoever holds the claim, and bears the number of its run."""
    asked, _ = _begin(request)
    await asked.pause()
    _break_if(asked, Fate.BREAKS_BEFORE)
    if asked.fate in {Fate.SOLD_OUT, Fate.BUSY}:
        return _answer({"type": "sold-out"}, 409) if asked.fate == Fate.SOLD_OUT else _declined(asked)
    asked.world.effect(asked.key)
    await asked.pause()
    _break_if(asked, Fate.BREAKS_AFTER)
    return _answer({"run": asked.own_run.number}, 201)


ROUTES = {
    "fenced": (_fenced, policy(idempotent=True)),
    "limited": (_fenced, policy(idempotent=True, limits=[TokenBucket("1/s", burst=2)])),
    "unfenced": (_unfenced, policy(idempotent=True)),
    "brief": (_unfenced, policy(idempotent=True, lifetime="10min")),
    "quick": (_unfenced, policy(idempotent=True, claims="redis")),
}
for name, (handler, declare) in ROUTES.items():
    app.add_api_route(f"/{name}", declare(handler), methods=["POST"])

TABLE = RouteTable(app, Policy())


def _begin(request: Request) -> "tuple[SimulatedRequest, Claim]":
    asked: SimulatedRequest = request.scope["simulation"]
    claim = request.state.tidegate.claim
    asked.run = Run(len(asked.key.runs) + 1, asked.at_ms, claim.attempt_id)
    asked.world.began(asked, claim.pk)
    return asked, claim


def _break_if(asked: "SimulatedRequest", fate: Fate) -> None:
    if asked.fate == fate:
        asked.own_run.raised = True
        raise RuntimeError(f"run {asked.own_run.number} breaks")


def _declined(asked: "SimulatedRequest") -> Response:
    asked.own_run.declined = True
    return _answer({"type": "busy"}, 503)


def _answer(content: Any, status: int) -> Response:
    return JSONResponse(content, status)
