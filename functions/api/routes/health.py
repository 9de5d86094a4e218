"""The health routes: they need no key, are never cached, and ask each store at most once a second.

They have no limits, because a limit would ask a store for each request; the edge throttles them. Everybody sees the
status. Details are for the owner (see `health_access`).
"""

import os
from dataclasses import asdict
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from functions.api.health_access import HealthAccess
from functions.api.problems import problems, retry_soon
from functions.api.process import process
from functions.api.readiness import Readiness, ReadinessCheck
from functions.api.schema import SCHEMA_VERSION
from tidegate import Gate, ProblemError, policy

NO_STORE = {"Cache-Control": "no-store", "Vary": "Authorization"}
DOWN = problems({503: "Not ready; to the owner `dependencies` says why."})


class DependencyOut(BaseModel):
    """One dependency: a store of the library or a table of the shop."""

    name: str
    state: str = Field(examples=["ready"])
    since: str
    latency_ms: float | None
    error: str | None
    breaker: str | None = Field(description="closed, open or half-open; null where there is none.")


class StatusOut(BaseModel):
    """Ready to serve; `degraded` if a fallback does it."""

    status: Literal["ok", "degraded"]


class ReadyOut(StatusOut):
    """Ready to serve, and by which store; for the owner alone."""

    deciding: str = Field(description="The store that decides on limits now.", examples=["redis"])
    dependencies: list[DependencyOut]


class MemoryOut(BaseModel):
    """The process's memory in bytes."""

    rss_bytes: int


class HealthOut(ReadyOut):
    """Everything about this environment; for the owner alone."""

    version: str
    mode: str = Field(description="The stores that there are, and so what holds.", examples=["redis+dynamodb"])
    schema_version: int
    memory: MemoryOut
    uptime_s: float


class LiveOut(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


async def _no_store(response: Response) -> None:
    response.headers.update(NO_STORE)


async def _gate(request: Request) -> Gate:
    return cast("Gate", request.app.state.gate)


Protection = Annotated[Gate, Depends(_gate)]


async def _readiness(request: Request) -> Readiness:
    return await cast("ReadinessCheck", request.app.state.readiness).ask()


async def _is_owner(request: Request) -> bool:
    event = request.scope.get("aws.event") or {}
    return HealthAccess.from_environ(os.environ).allows(request.headers.get("authorization"), event)


Asked = Annotated[Readiness, Depends(_readiness)]
IsOwner = Annotated[bool, Depends(_is_owner)]
router = APIRouter(prefix="/health", tags=["health"], dependencies=[Depends(_no_store)])


@router.get("/live", operation_id="live", summary="Does the process answer?")
@policy(limits=[], priority="critical")
async def live() -> LiveOut:
    """Respond without asking any store."""
    return LiveOut()


@router.get("/ready", operation_id="ready", summary="Can it serve?", responses=DOWN)
@policy(limits=[])
async def ready(readiness: Asked, is_owner: IsOwner) -> ReadyOut | StatusOut:
    """Return 200 if requests can be served, by a fallback if need be, else 503."""
    shown = _served(readiness, {}, is_owner=is_owner)
    return ReadyOut.model_validate(shown) if is_owner else StatusOut.model_validate(shown)


@router.get("", operation_id="health", summary="Everything about this environment", responses=DOWN)
@policy(limits=[])
async def health(readiness: Asked, is_owner: IsOwner, gate: Protection) -> HealthOut | StatusOut:
    """Return the same as `/health/ready`, and to the owner the release, the schema, memory and uptime."""
    me = process()
    about = {
        "version": gate.settings.release,
        "mode": gate.settings.mode,
        "schema_version": SCHEMA_VERSION,
        "memory": {"rss_bytes": me.rss_bytes},
        "uptime_s": me.uptime_s,
    }
    shown = _served(readiness, about, is_owner=is_owner)
    return HealthOut.model_validate(shown) if is_owner else StatusOut.model_validate(shown)


def _served(readiness: Readiness, about: dict[str, Any], *, is_owner: bool) -> dict[str, Any]:
    details = {**asdict(readiness), **about} if is_owner else {"status": readiness.status}
    if readiness.status != "down":
        return details
    failing = ", ".join(d.name for d in readiness.dependencies if d.state == "failing")
    # A problem has a status of its own.
    del details["status"]
    raise ProblemError(
        503,
        "not-ready",
        "Not ready",
        f"Failing: {failing}." if is_owner else None,
        headers={**NO_STORE, **retry_soon()},
        **details,
    )
