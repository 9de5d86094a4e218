"""The application of the fault matrix; its effects go to a file, and it counts whom its process connects to."""

import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from tests.harness.hanging_names import HangingNames
from tidegate import TokenBucket, policy, protect

LIMIT = TokenBucket("100/s", burst=50)

_connects: Counter[int] = Counter()


def _count(event: str, arguments: tuple[Any, ...]) -> None:
    # A refused connection leaves no trace at the other end, so it is counted at this one.
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        _connects[arguments[1][1]] += 1


sys.addaudithook(_count)
if folder := os.environ.get("HANGING_NAMES"):
    HangingNames(Path(folder)).install()

app = FastAPI()
protect(app)


@app.get("/health")
@policy(limits=[])
async def health() -> str:
    return "ok"


@app.get("/connects")
@policy(limits=[])
async def connects() -> dict[int, int]:
    """How often this process has tried to connect, by port."""
    return _connects


@app.get("/share")
@policy(limits=[LIMIT], on_outage="share")
async def share() -> list[str]:
    return []


@app.get("/allow")
@policy(limits=[LIMIT], on_outage="allow")
async def allow() -> list[str]:
    return []


@app.get("/reject")
@policy(limits=[LIMIT], on_outage="reject")
async def reject() -> list[str]:
    return []


@app.post("/payments", status_code=201)
@policy(limits=[LIMIT], idempotent=True)
def pay(payment: dict[str, str]) -> dict[str, str]:
    with Path(os.environ["TILL"]).open("a") as till:  # one short line is appended at once
        till.write(f"{payment['order']}\n")
    return {"paid": payment["order"]}
