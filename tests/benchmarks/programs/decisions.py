"""Decisions in one thread, contender after contender in short rounds.

python -m tests.benchmarks.programs.decisions REDIS_URL RESULT.json
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import redis

from tests.benchmarks import cores, deciders, peers
from tests.benchmarks.contenders import ONE_COMMAND
from tests.benchmarks.deciders import Decide, Decider, Rate
from tests.benchmarks.programs.latency import UNIT

ROUNDS = 40
IN_REDIS = 150
IN_MEMORY = 1500
CALLERS = [f"caller-{n:04}" for n in range(100)]
AMPLE = Rate(100_000)


def main(redis_url: str, result: str) -> None:
    """Write wall and processor time per decision of every round, in microseconds."""
    with cores.placed("together", redis_url):
        told = {
            "redis": _measure(_opened(redis_url, deciders.in_redis()) | _also(redis_url), IN_REDIS),
            "memory": _measure(_opened("", deciders.in_memory()), IN_MEMORY),
            "parts": _measure(_parts(), IN_MEMORY),
        }
    Path(result).write_text(json.dumps(told), encoding="utf-8")


def _opened(url: str, those: Sequence[Decider]) -> dict[str, Decide]:
    return {one.name: one.make(url, AMPLE) for one in those if peers.missing(*one.needs) is None}


def _also(url: str) -> dict[str, Decide]:
    client = redis.Redis.from_url(url)
    sha = client.script_load(ONE_COMMAND)
    three = [deciders.token_bucket(Rate(AMPLE.count - n)) for n in range(3)]
    return {
        "Tidegate, over the application's redis-py": deciders.tidegate_store(
            deciders.tidegate_redis_store(url, client), deciders.token_bucket(AMPLE)
        ),
        "GET by Tidegate's driver": _getting(url, None),
        "GET by redis-py's connections, in Tidegate's time": _getting(url, client),
        "GET by redis-py itself": lambda caller: client.get(caller) is None,
        "Tidegate, three limits at once": deciders.tidegate_store(deciders.tidegate_redis_store(url), *three),
        UNIT: lambda caller: bool(client.evalsha(sha, 1, caller)),
    }


def _getting(url: str, client: redis.Redis | None) -> Decide:
    """A GET of what isn't there, through the driver alone."""
    from tidegate.redis_driver.node import RedisTarget
    from tidegate.redis_driver.transport import transport_to

    send = transport_to(RedisTarget(url, 20.0, 20.0, client=client)).send
    return lambda caller: send([("GET", caller)]) == [None]


def _parts() -> dict[str, Callable[[str], Any]]:
    """What stands between a request and its store, without any I/O."""
    from tidegate.clock import SystemClock
    from tidegate.failover.breaker import Breaker
    from tidegate.failover.circuit import CircuitBreakerStore
    from tidegate.failover.store import FailoverStore

    clock = SystemClock()
    breaker = Breaker(clock)
    one = deciders.token_bucket(AMPLE)
    three = [deciders.token_bucket(Rate(AMPLE.count - n)) for n in range(3)]
    memory = deciders.tidegate_memory_store()
    rung = CircuitBreakerStore(deciders.tidegate_memory_store(), Breaker(clock), clock)
    chain = FailoverStore([rung], deciders.tidegate_memory_store(), clock)
    return {
        "Tidegate, breaker: permission and success": lambda _: breaker.succeeded(breaker.permission()),
        "Tidegate, memory store: one limit": deciders.tidegate_store(memory, one),
        "Tidegate, memory store: three limits": deciders.tidegate_store(memory, *three),
        "Tidegate, chain, breaker and state around a memory store": deciders.tidegate_store(chain, one),
    }


def _measure(calls: dict[str, Callable[[str], Any]], times: int) -> dict[str, dict[str, list[float]]]:
    for name, call in calls.items():
        if False in [call(caller) for caller in CALLERS]:
            raise RuntimeError(f"{name} refused although nothing was used up")
    took: dict[str, dict[str, list[float]]] = {name: {"wall": [], "cpu": []} for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            wall, cpu = time.perf_counter(), time.process_time()
            for n in range(times):
                call(CALLERS[n % len(CALLERS)])
            took[name]["wall"].append((time.perf_counter() - wall) * 1e6 / times)
            took[name]["cpu"].append((time.process_time() - cpu) * 1e6 / times)
    return took


def median(times: list[float]) -> float:
    """The median."""
    return statistics.median(times)


if __name__ == "__main__":
    main(*sys.argv[1:])
