"""What workers ask of limiters, all at once: imported by the processes that `run_at_once` starts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis

from tests.benchmarks import deciders, peers
from tests.benchmarks.deciders import Decide, Decider, Rate
from tests.harness.processes import Worker

PROCESSES, THREADS = 8, 4
WORKERS = PROCESSES * THREADS


@dataclass(frozen=True)
class Case:
    """One question to the limiters.

    Attributes:
        name: what is asked.
        rate: the limit.
        calls: how many calls in all; 0: as many as fit into `seconds`.
        seconds: how long.
    """

    name: str
    rate: Rate
    calls: int = 0
    seconds: float = 0


TOKENS = Case("token bucket 100/s, burst 10", Rate(100, burst=10), calls=6000)
ONE = Case("limit 1 an hour", Rate(1, 3600), calls=640)
COSTLY = Case("cost 11 of a burst of 10", Rate(10, 1, cost=11), calls=640)
WINDOW = Case("sliding window 100/s", Rate(100), seconds=3)


@dataclass(frozen=True)
class Asked:
    """What one worker saw of one job: epoch seconds of its calls, and for each admission its call's."""

    began: float
    ended: float
    calls: int
    admitted: Sequence[tuple[float, float]]


Job = tuple[Case, Decider]


def jobs() -> list[Job]:
    """Every case with the limiters that have such a limit, and are installed."""
    everyone = deciders.in_redis()
    by_name = {decider.name: decider for decider in everyone}
    tokens = [
        by_name[name] for name in ("Tidegate, token bucket (GCRA)", "throttled-py, GCRA", "throttled-py, token bucket")
    ]
    windows = [*_our_window(), *(d for d in everyone if "window" in d.name or "log" in d.name)]
    windows = [d for d in windows if "fixed" not in d.name]
    wanted = [(TOKENS, tokens), (ONE, everyone), (COSTLY, everyone), (WINDOW, windows)]
    return [(case, d) for case, those in wanted for d in those if peers.missing(*d.needs) is None]


def _our_window() -> list[Decider]:
    import tidegate

    if not hasattr(tidegate, "SlidingWindow"):
        return []
    return [Decider("Tidegate, sliding window", (), _sliding)]


def _sliding(url: str, rate: Rate) -> Decide:
    from tidegate import SlidingWindow

    limit = SlidingWindow(f"{rate.count}/{rate.seconds}s")
    return deciders.tidegate_store(deciders.tidegate_redis_store(url), limit, cost=rate.cost)


def prepare(url: str) -> tuple[list[Decide], redis.Redis]:
    """Open every job's limiter once a process, and connect."""
    opened = [decider.make(url, case.rate) for case, decider in jobs()]
    for number, decide in enumerate(opened):
        decide(f"warm-up-{number}")
    return opened, redis.Redis.from_url(url)


def ask(worker: Worker, _: str) -> list[Asked]:
    """Do every job together with all other workers, one job after the other."""
    opened, client = worker.shared
    told = []
    for number, ((case, decider), decide) in enumerate(zip(jobs(), opened, strict=True)):
        _together(client, number)
        told.append(_ask_one(case, decide, f"{decider.name}:{number}"))
    return told


def _ask_one(case: Case, decide: Decide, caller: str) -> Asked:
    began, calls, admitted = time.time(), 0, []
    while calls * WORKERS < case.calls if case.calls else time.time() < began + case.seconds:
        sent = time.time()
        if decide(caller):
            admitted.append((sent, time.time()))
        calls += 1
    return Asked(began, time.time(), calls, admitted)


def _together(client: Any, number: int) -> None:
    """Wait until every worker is here: a count in Redis, looked at until it is complete."""
    client.incr(f"bench:together:{number}")
    while int(client.get(f"bench:together:{number}")) < WORKERS:
        time.sleep(0.001)
