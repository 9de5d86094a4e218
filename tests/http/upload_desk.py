"""An application that takes bodies: read ahead by the guard, or by a handler that holds the only slot."""

import os
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

from tidegate import Concurrency, Policy, Settings, policy, protect

app = FastAPI()
gate = protect(
    app,
    default=Policy(),
    settings=Settings.from_environ({**os.environ, "TIDEGATE_STORE": "memory", "TIDEGATE_BODY_TIMEOUT": "1s"}),
)


@app.get("/health")
async def health() -> str:
    return "ok"


@app.post("/claimed")
@policy(idempotent=True)
async def claimed(request: Request) -> int:
    return len(await request.body())


@app.get("/slots")
@policy(limits=[Concurrency(1, per="route")])
async def answered(pieces: int = 1) -> StreamingResponse:
    return StreamingResponse(b"x" * 65536 for _ in range(pieces))


@app.post("/slots")
@policy(limits=[Concurrency(1, per="route")])
async def slots(body: dict[str, Any]) -> int:
    return len(body)
