"""An application for real server processes: whatever runs in it is written to a file that outlives it."""

import os
import time
from pathlib import Path

from fastapi import FastAPI

from tidegate import TokenBucket, policy, protect

app = FastAPI()
gate = protect(app)
AMPLE = [TokenBucket("10000/s", burst=10000)]


@app.get("/health")
@policy(limits=[])
async def health() -> str:
    return "ok"


@app.get("/stores")
@policy(limits=[])
async def stores() -> str:
    return (await gate.health()).deciding


@app.get("/products")
@policy(limits=AMPLE)
async def products() -> list[str]:
    return []


@app.post("/payments", status_code=201)
@policy(limits=AMPLE, idempotent=True)
def pay(body: dict[str, int]) -> dict[str, str]:
    """Take a while, so that requests with one key meet."""
    receipt = f"{os.getpid()} {time.monotonic_ns()}"
    with Path(os.environ["TILL"]).open("a") as till:  # one short line is appended at once
        till.write(f"{body['amount']} {receipt}\n")
    time.sleep(0.02)
    return {"receipt": receipt}
