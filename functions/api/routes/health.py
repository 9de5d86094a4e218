"""The health routes: no key, no limits, never cached."""

from dataclasses import asdict
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from functions.api.problems import problems, retry_soon
from functions.api.process import process
from functions.api.readiness import Readiness, ReadinessCheck
from functions.api.schema import SCHEMA_VERSION
from tidegate import Gate, ProblemError, policy

NO_STORE = {"Cache-Control": "no-store"}
DOWN = problems({503: "Not ready; `dependencies` says why."})

_check = ReadinessCheck()


class DependencyOut(BaseModel):
    """One dependency: a store of the library or a table of the shop."""

    name: str
    state: str = Field(examples=["ready"])
    since: str
    latency_ms: float | None
    error: str | None
    breaker: str | None = Field(description="closed, open or half-open; null where there is none.")


class ReadyOut(BaseModel):
    """Ready to serve; `degraded` if a fallback does it."""

    status: Literal["ok", "degraded"]
    deciding: str = Field(description="The store that decides on limits now.", examples=["redis"])
    dependencies: list[DependencyOut]


class MemoryOut(BaseModel):
    """What the process takes, in bytes."""

    rss_bytes: int


class HealthOut(ReadyOut):
    """All that this environment can say about itself."""

    version: str
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


async def _readiness(gate: Protection) -> Readiness:
    return await _check.ask(gate)


Asked = Annotated[Readiness, Depends(_readiness)]
router = APIRouter(prefix="/health", tags=["health"], dependencies=[Depends(_no_store)])


@router.get("/live", operation_id="live", summary="Does the process answer?")
@policy(limits=[], priority="critical")
async def live() -> LiveOut:
    """Answer without asking anybody."""
    return LiveOut()


@router.get("/ready", operation_id="ready", summary="Can it serve?", responses=DOWN)
@policy(limits=[], priority="critical")
async def ready(readiness: Asked) -> ReadyOut:
    """Ask every dependency now: 200 if requests can be served, by a fallback if need be, else 503."""
    return ReadyOut.model_validate(_served(readiness, {}))


@router.get("", operation_id="health", summary="Everything about this environment", responses=DOWN)
@policy(limits=[], priority="critical")
async def health(readiness: Asked, gate: Protection) -> HealthOut:
    """Say what `/health/ready` says, and the release, the schema, memory and uptime."""
    me = process()
    about = {
        "version": gate.settings.release,
        "schema_version": SCHEMA_VERSION,
        "memory": {"rss_bytes": me.rss_bytes},
        "uptime_s": me.uptime_s,
    }
    return HealthOut.model_validate(_served(readiness, about))


def _served(readiness: Readiness, about: dict[str, Any]) -> dict[str, Any]:
    if readiness.status != "down":
        return {**asdict(readiness), **about}
    failing = ", ".join(d.name for d in readiness.dependencies if d.state == "failing")
    raise ProblemError(
        503,
        "not-ready",
        "Not ready",
        f"Failing: {failing}.",
        headers={**NO_STORE, **retry_soon()},
        deciding=readiness.deciding,
        dependencies=asdict(readiness)["dependencies"],
        **about,
    )
