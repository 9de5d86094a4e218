"""An application behind the guard, for a real server process: limits and idempotency in Redis alone."""

import asyncio
import os
from collections import Counter
from pathlib import Path

from fastapi import FastAPI, Request

from tidegate import TokenBucket, policy, protect

app = FastAPI()
gate = protect(app)
asked: Counter[str] = Counter()


@app.middleware("http")
async def count(request: Request, call_next):
    answer = await call_next(request)
    asked[f"{request.method} {request.url.path} {answer.status_code}"] += 1
    return answer


@app.get("/health")
@policy(limits=[])
async def health() -> str:
    return "ok"


@app.get("/asked")
@policy(limits=[])
async def read_asked() -> dict[str, int]:
    return dict(asked)


@app.get("/products")
@policy(limits=[TokenBucket("4/s", burst=2)])
async def products() -> list[str]:
    return []


@app.post("/orders", status_code=201)
@policy(limits=[], idempotent=True, claims="redis")
async def order(body: dict[str, int]) -> dict[str, int]:
    """Take long enough that an impatient client's second attempt meets the first."""
    with Path(os.environ["TILL"]).open("a") as till:  # noqa: ASYNC230  one short line
        till.write(f"{body['amount']}\n")
    await asyncio.sleep(0.5)
    return {"amount": body["amount"]}
