"""Many requests for one thing that nobody has a copy of, from several processes at once; module-level, for them."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass

from fastapi import FastAPI

from tests.harness.processes import Worker
from tests.http.wire import Call, http_scope
from tidegate import Cache, Gate, Settings, TokenBucket, policy, protect

PROCESSES, THREADS = 4, 10
# What the origin takes: long enough that all who ask meet in it, on a loaded machine, too.
ORIGIN_S = 0.5


@dataclass(frozen=True)
class Environment:
    """One environment, and how often its handler has run."""

    app: FastAPI
    gate: Gate
    calls: list[str]


@dataclass(frozen=True)
class Seen:
    """What requests for one thing were answered with, and how often its handler ran for them."""

    bodies: list[bytes]
    ways: list[str]
    calls: int


def environment(redis_url: str) -> Environment:
    app, calls = FastAPI(), []

    @app.get("/things/{name}")
    @policy(limits=[TokenBucket("100000/s", burst=100000)], cache=Cache("1h", shared=True, wait="20s"))
    async def thing(name: str):
        calls.append(name)
        if not name.startswith("warm"):
            await asyncio.sleep(ORIGIN_S)
        return {"made": time.monotonic_ns(), "name": name}

    gate = protect(app, settings=Settings(redis_url=redis_url, decision_budget_ms=9000))
    return Environment(app, gate, calls)


def prepare(redis_url: str, _: int) -> list[Environment]:
    """One environment for each thread; connected, and with its heartbeat sent."""
    made = [environment(redis_url) for _ in range(THREADS)]
    for each in made:
        asked(each, f"warm-{uuid.uuid4().hex}", 1)
    return made


def as_functions_and_as_servers(worker: Worker, _: str, requests: int) -> tuple[Seen, Seen | None]:
    """Ask once in each thread's own environment; then so many times at once in the process's first one."""
    mine = worker.shared[worker.thread]
    as_function = asked(mine, "functions", 1)
    as_server = asked(mine, "servers", requests) if worker.thread == 0 else None
    mine.gate.close()
    return as_function, as_server


def asked(environment: Environment, name: str, requests: int) -> Seen:
    """Ask an environment for a thing so many times at once."""
    calls = asyncio.run(_ask(environment, name, requests))
    assert {call.status for call in calls} == {200}
    ways = [call.headers["cache-status"] for call in calls]
    return Seen([call.body for call in calls], ways, environment.calls.count(name))


async def _ask(environment: Environment, name: str, requests: int) -> list[Call]:
    calls = [Call(environment.app, http_scope("GET", f"/things/{name}")) for _ in range(requests)]
    await asyncio.gather(*(call.task for call in calls))
    return calls
