"""Requests for one cached thing: many at once when there is none, and a steady flow over its expiries.

Module-level functions, for processes of their own.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, NamedTuple

from tests.benchmarks.cached_apps import CONTENDERS, PATH, Cached
from tests.benchmarks.output import log_lines_away
from tests.harness.processes import Worker
from tests.http.wire import Call, http_scope

# Long enough that all who ask meet in it.
SLOW_ORIGIN_S = 0.5


class Measured(NamedTuple):
    """What one process has seen.

    Attributes:
        computed: how often its origin was asked.
        latencies_ms: of each request, from when it was due.
    """

    computed: int
    latencies_ms: list[float]


def prepare(name: str, redis_url: str, ttl_s: int, *_: Any) -> Cached:
    """Make the application; its connections come with the first request."""
    return CONTENDERS[name][1](redis_url, ttl_s)


def stampede(worker: Worker, _: str, __: str, ___: int, requests: int) -> Measured:
    """Ask for it so many times at once."""

    worker.shared.origin_s = SLOW_ORIGIN_S

    async def all_at_once() -> list[float]:
        calls = [_asked(worker.shared, time.perf_counter()) for _ in range(requests)]
        took = await asyncio.gather(*calls)
        await worker.shared.close()
        return took

    with log_lines_away():
        took = asyncio.run(all_at_once())
    return Measured(worker.shared.computed, took)


def flow(worker: Worker, _: str, __: str, ___: int, per_s: float, lasts_s: float) -> Measured:
    """Ask for it at a steady rate, whatever becomes of the requests before (an open loop)."""

    async def steadily() -> list[float]:
        await _asked(worker.shared, time.perf_counter())
        before, began, asked = worker.shared.computed, time.perf_counter(), []
        for number in range(int(per_s * lasts_s)):
            due = began + number / per_s
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            asked.append(asyncio.ensure_future(_asked(worker.shared, due)))
        took = await asyncio.gather(*asked)
        worker.shared.computed -= before
        await worker.shared.close()
        return took

    with log_lines_away():
        took = asyncio.run(steadily())
    return Measured(worker.shared.computed, took)


async def _asked(cached: Cached, due: float) -> float:
    call = Call(cached.app, http_scope("GET", PATH))
    await call.task
    if call.status != 200:
        raise RuntimeError(f"answered {call.status}: {call.body!r}")
    return (time.perf_counter() - due) * 1000
