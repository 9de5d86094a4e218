"""The application that every shape of Lambda and server serves; what must be seen from outside it writes into files."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse

from tidegate import TokenBucket, policy, protect

FOLDER = Path(os.environ["RUNTIMES_FOLDER"])
AMPLE = [TokenBucket("1000/s", burst=1000)]


def note(name: str, text: str) -> int:
    """Add a line to a file of the test's, and return how many there are."""
    with (FOLDER / name).open("a") as file:
        file.write(f"{text}\n")
    return len((FOLDER / name).read_text().splitlines())


async def until(name: str) -> None:
    """Wait until the test has made a file."""
    while not (FOLDER / name).exists():  # noqa: ASYNC110  another process makes it
        await asyncio.sleep(0.005)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    note("lifespans", f"opened {os.getpid()}")
    yield
    note("lifespans", f"closed {os.getpid()}")


app = FastAPI(title="runtimes", lifespan=lifespan)
gate = protect(app)


def environment_id() -> str:
    return str(gate._lifecycle.environment.stores._handles[0].store._environment_id)


@app.get("/health")
@policy()
async def health() -> int:
    return note("health", "asked")


@app.get("/whoami")
@policy(limits=AMPLE)
async def whoami(request: Request) -> dict[str, Any]:
    admission = request.state.tidegate
    left_s = None if admission.ends is None else admission.ends - time.monotonic()
    return {
        "principal": admission.principal,
        "left_s": left_s,
        "pid": os.getpid(),
        "loop": type(asyncio.get_running_loop()).__module__.partition(".")[0],
        "environment": environment_id(),
        "http": request.scope["http_version"],
        "url": str(request.url_for("whoami").path),
    }


@app.get("/limited")
@policy(limits=[TokenBucket("1/h", burst=3)])
async def limited() -> str:
    return "well"


@app.post("/payments")
@policy(limits=AMPLE, idempotent=True, claims="redis")
async def pay() -> int:
    return note("payments", "paid")


@app.post("/slow")
@policy(limits=AMPLE, idempotent=True, claims="redis")
async def slow() -> int:
    number = note("slow", "began")
    await until("go-on")
    return number


@app.get("/stream")
@policy(limits=AMPLE)
async def stream() -> StreamingResponse:
    async def pieces() -> AsyncIterator[bytes]:
        try:
            yield b"first "
            await until("go-on")
            yield b"last"
        finally:
            note("streams", "ended")

    return StreamingResponse(pieces(), media_type="text/plain")


@app.websocket("/echo")
@policy(limits=AMPLE)
async def echo(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text(await socket.receive_text())
    await socket.close()
