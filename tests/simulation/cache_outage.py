"""A fleet under a cached load whose Redis goes away: how often the origin is asked, before and meanwhile.

    python -m tests.simulation.cache_outage

The guard, the cache and the failover chain are the library's own, in one process, under a clock that is advanced
by hand. Redis is `tests.contract.cache_model`, which the contract suite shows to answer as Redis does.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from fastapi import FastAPI
from rich.console import Console
from rich.table import Table

from tests.contract.cache_model import CacheModel
from tests.http.wire import Call, http_scope
from tidegate import Cache, Policy, Settings, policy
from tidegate.cache.local import LocalCopies
from tidegate.cache.state import CacheState
from tidegate.compose import compose
from tidegate.environment import Environment
from tidegate.errors import StoreUnavailableError
from tidegate.failover.breaker import Breaker
from tidegate.failover.circuit import CircuitBreakerStore
from tidegate.failover.store import FailoverStore
from tidegate.guard import Guard
from tidegate.lazy import Lazy
from tidegate.messages import Answer, Fleet, Question, Settlement
from tidegate.routing import RouteTable
from tidegate.stores.fleet import FleetView
from tidegate.stores.memory import MemoryStore
from tidegate.testing import FakeClock

FRESH, STALE, STALE_IF_ERROR = "30s", "5m", "1h"


class SimulatedRedis:
    """Redis as the model has it, for a whole fleet; while it is away, every call fails."""

    name = "redis"

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._model = CacheModel()
        self.away = False

    def admit(self, question: Question) -> Answer:
        self.probe()
        cache = question.cache
        found = None if cache is None else self._model.ask(cache, self._clock.wall_us())
        return Answer(admitted=True, limits=(), claim=None, store=self.name, cache=found)

    def settle(self, settlement: Settlement) -> bool:
        self.probe()
        return settlement.cache is None or self._model.settle(settlement.cache, self._clock.wall_us())

    def probe(self, patience_s: float | None = None) -> None:
        if self.away:
            raise StoreUnavailableError(self.name, "refused")

    def close(self) -> None: ...


class _Held(NamedTuple):
    """A lifecycle whose environment is given."""

    environment: Environment

    def after_request(self) -> None: ...

    def renew(self) -> None: ...


@dataclass(frozen=True)
class Load:
    """What is asked for.

    Attributes:
        environments: how many there are.
        things: how many different ones are asked for.
        gap_s: seconds between two requests of one environment for one thing, on average.
        lasts_s: seconds before the outage, and of it.
    """

    environments: int
    things: int = 3
    gap_s: float = 3.0
    lasts_s: int = 300


class Seen(NamedTuple):
    """Calls of the origin in the same time, and how old what was given was at most, in seconds."""

    before: int
    meanwhile: int
    oldest_s: int

    @property
    def ratio(self) -> float:
        return self.meanwhile / self.before


async def simulate(load: Load, seed: int = 1) -> Seen:
    """Run a fleet for as long again without Redis as with it."""
    rng, clock, calls = random.Random(seed), FakeClock(), Counter()
    phase = "warm"
    app = FastAPI()

    @app.get("/things/{name}")
    @policy(limits=[], cache=Cache(FRESH, STALE, STALE_IF_ERROR, shared=True))
    async def thing(name: str) -> str:
        calls[phase] += 1
        return name

    redis = SimulatedRedis(clock)
    routes = RouteTable(app, Policy())
    fleet = [_guard(app, routes, _environment(clock, redis, load, rank)) for rank in range(load.environments)]
    oldest_s = 0
    for phase, lasts_s in (("warm", 60), ("before", load.lasts_s), ("meanwhile", load.lasts_s)):
        redis.away = phase == "meanwhile"
        requests = load.environments * load.things * lasts_s / load.gap_s
        for _ in range(int(requests)):
            clock.advance(rng.expovariate(requests / lasts_s))
            call = Call(rng.choice(fleet), http_scope("GET", f"/things/{rng.randrange(load.things)}"))
            await call.task
            assert call.status == 200
            oldest_s = max(oldest_s, int(call.headers.get("age", 0)))
    return Seen(calls["before"], calls["meanwhile"], oldest_s)


def _environment(clock: FakeClock, redis: SimulatedRedis, load: Load, rank: int) -> Environment:
    composed = compose(Settings(memory_only=True, on_lambda=True), clock)
    view = FleetView(clock, Fleet(load.environments, rank))
    handle = CircuitBreakerStore(redis, Breaker(clock), clock)
    place = CacheState(LocalCopies(clock), None, view, composed.call)
    stores = FailoverStore([handle], MemoryStore(clock), clock, view)
    return composed._replace(stores=stores, cache=Lazy(lambda: place))


def _guard(app: FastAPI, routes: RouteTable, environment: Environment) -> Guard:
    return Guard(app, _Held(environment), lambda: routes)  # type: ignore[arg-type]


def main() -> None:
    """Print the table."""
    os.environ["LOG_LEVEL"] = "CRITICAL"
    table = Table("environments", "origin calls, Redis up", "Redis away", "ratio", "oldest, s")
    for environments in (1, 10, 30, 100):
        seen = asyncio.run(simulate(Load(environments)))
        table.add_row(str(environments), *map(str, seen[:2]), f"{seen.ratio:.2f}", str(seen.oldest_s))
    title = f"Five minutes each; fresh {FRESH}, stale {STALE}, stale_if_error {STALE_IF_ERROR}; three things"
    Console(file=sys.stdout).print(title, table)


if __name__ == "__main__":
    main()
