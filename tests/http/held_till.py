"""An application for real server processes: its handlers say that they began, and end when a file says go."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from tidegate import policy, protect

app = FastAPI()
gate = protect(app)
guarded = policy(idempotent=True)


@app.get("/health")
@policy(limits=[])
async def health() -> str:
    return "ok"


@app.post("/async")
@guarded
async def awaits() -> str:
    await asyncio.to_thread(_wait, "/async")
    return "done"


@app.post("/def")
@guarded
def blocks() -> str:
    _wait("/def")
    return "done"


@app.post("/stream")
@guarded
async def streams() -> StreamingResponse:
    async def make() -> AsyncIterator[str]:
        yield "do"
        await asyncio.to_thread(_wait, "/stream")
        yield "ne"

    return StreamingResponse(make())


def _wait(path: str) -> None:
    till = Path(os.environ["TILL"])
    _write(till, f"began {path}")
    while not (till.parent / "go").exists():
        time.sleep(0.01)
    _write(till, f"ended {path}")


def _write(till: Path, line: str) -> None:
    with till.open("a") as file:  # one short line is appended at once
        file.write(f"{line}\n")
