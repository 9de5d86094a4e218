"""Warm requests through Mangum, contender after contender in short rounds; run as a process of its own.

    python -m tests.benchmarks.programs.latency apart|together REDIS_URL RESULT.json

Standard output takes the library's log lines, as on Lambda, so the result goes to a file.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import redis

from tests.benchmarks import contenders, cores, events, peers
from tests.benchmarks.own_loop import OwnLoop
from tests.harness.lambda_events import LambdaContext

ROUNDS = 80
REQUESTS_A_ROUND = 30
WARM_UP = 100
UNIT = "redis-py EVALSHA"
WITH_UNIT = "FastAPI + Mangum, one EVALSHA in the handler"
BARE = "FastAPI + Mangum"
SILENT = "no log line"

Invocation = tuple[dict[str, Any], LambdaContext]


class Call(NamedTuple):
    """A contender: what is done before its round, and its call."""

    prepare: Callable[[], None]
    make: Callable[[Invocation], object]


def main(placement: cores.Placement, redis_url: str, result: str) -> None:
    """Measure everyone in turns and write the medians of every round, in microseconds."""
    calls = _contenders(redis_url)
    with cores.placed(placement, redis_url):
        medians = _measure(calls)
    Path(result).write_text(json.dumps(medians), encoding="utf-8")


def _measure(calls: dict[str, Call]) -> dict[str, list[float]]:
    for call in calls.values():
        call.prepare()
        for _ in range(WARM_UP):
            call.make((events.get(), LambdaContext()))
    medians: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            medians[name].append(_round_us(name, call))
    return medians


def _contenders(url: str) -> dict[str, Call]:
    wanted: dict[str, tuple[tuple[str, ...], Callable[[], Any]]] = {
        BARE: ((), contenders.bare),
        WITH_UNIT: ((), lambda: contenders.one_evalsha(url)),
        "Tidegate, 1 limit": ((), contenders.tidegate),
        f"Tidegate, 1 limit, {SILENT}": ((), contenders.tidegate),
        "Tidegate, 3 limits": ((), lambda: contenders.tidegate(limits=3)),
        f"Tidegate, 3 limits, {SILENT}": ((), lambda: contenders.tidegate(limits=3)),
        "slowapi, 1 limit": (("slowapi",), lambda: contenders.slowapi(url)),
        "slowapi, 1 limit, its headers": (("slowapi",), lambda: contenders.slowapi(url, headers=True)),
        "slowapi, 3 limits, its headers": (("slowapi",), lambda: contenders.slowapi(url, limits=3, headers=True)),
        "fastapi-limiter, 1 limit": (("fastapi-limiter",), lambda: contenders.fastapi_limiter(url, _new_loop())),
        "slowapi + cashews, 1 limit and a cached result": (
            ("slowapi", "cashews"),
            lambda: contenders.slowapi_cashews(url),
        ),
    }
    client = redis.Redis.from_url(url)
    sha = client.script_load(contenders.ONE_COMMAND)
    calls = {UNIT: Call(lambda: None, lambda _: client.evalsha(sha, 1, "bench:{unit}"))}
    for name, (needs, make) in wanted.items():
        if peers.missing(*needs) is None:
            handler = OwnLoop(make)
            calls[name] = Call(handler.enter, partial(invoke, handler))
    return calls


def _new_loop() -> asyncio.AbstractEventLoop:
    """The thread's event loop, for who needs it before there is a handler."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop


def invoke(handler: Callable[[Any, Any], dict[str, Any]], invocation: Invocation) -> None:
    """Invoke the handler; an answer that isn't 200 ends the benchmark."""
    reply = handler(*invocation)
    if reply["statusCode"] != 200:
        raise RuntimeError(f"answered {reply['statusCode']}: {reply['body']}")


def _round_us(name: str, call: Call) -> float:
    silent = name.endswith(SILENT)
    logging.getLogger("tidegate").setLevel(logging.WARNING if silent else logging.INFO)
    invocations = [(events.get(), LambdaContext()) for _ in range(REQUESTS_A_ROUND)]
    call.prepare()
    took, before = [], _bytes_written()
    for invocation in invocations:
        began = time.perf_counter_ns()
        call.make(invocation)
        took.append(time.perf_counter_ns() - began)
    # One line each; a line of the background's (the fallback decides differently, say) may come between.
    if (_lines(before) >= REQUESTS_A_ROUND) != (name.startswith("Tidegate") and not silent):
        raise RuntimeError(f"{name}: its log lines are not what its name says")
    return statistics.median(took) / 1000


def _bytes_written() -> int:
    """How much is in the file that standard output is."""
    sys.stdout.flush()
    return os.fstat(sys.stdout.fileno()).st_size


def _lines(since: int) -> int:
    """How many lines that file has from there on."""
    return os.pread(sys.stdout.fileno(), _bytes_written() - since, since).count(b"\n")


if __name__ == "__main__":
    main(*sys.argv[1:])  # type: ignore[arg-type]  # the command line's words
