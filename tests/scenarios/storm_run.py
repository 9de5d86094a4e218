"""Storms: a fleet of a fixed capacity is offered a multiple of it, with Redis and without, protected and not."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.harness.lambda_events import rest_event
from tests.harness.redis_server import RedisServer
from tests.scenarios.storm_fleet import Fleet
from tests.scenarios.storm_load import MIX, Asked, Clients, Outcome, percentile_s
from tidegate.criticality import Criticality

Watch = Callable[[str, float, Sequence[Asked]], None]

_QUIET, _QUIET_S = 0.5, 4.0
RISE_STEPS, RISE_S = 8, 2.0


@dataclass(frozen=True)
class Extent:
    """How large the fleet is, and how long the storms are.

    Attributes:
        environments: what the fleet runs at once.
        service_s: what a request takes; the capacity is so many environments over it.
        queue: requests that may wait in front of the fleet.
        principals, patience_s: the clients, and how long each waits for an answer.
        limit: each client's, per route.
        wait_ms: the span of waits over which shedding goes from nothing to all but the critical.
        factors: by how much more than the capacity is offered.
        half_s: how long each storm is with Redis, and then without.
    """

    environments: int = 16
    service_s: float = 0.8
    queue: int = 300
    principals: int = 500
    patience_s: float = 3.0
    limit: str = "6/min"
    wait_ms: str = "80-400"
    factors: tuple[float, ...] = (2, 5, 10)
    half_s: float = 12.0

    @property
    def capacity(self) -> float:
        """Requests a second."""
        return self.environments / self.service_s


@dataclass(frozen=True)
class Protection:
    """What stands before the handlers."""

    name: str
    limits: bool
    shedding: bool

    def variables(self, extent: Extent, redis: RedisServer) -> dict[str, str]:
        return {
            "TIDEGATE_REDIS_URL": redis.url,
            "TIDEGATE_CAPACITY": str(extent.environments),
            "TIDEGATE_FLEET_SIZE": str(extent.environments),
            "TIDEGATE_SHED": "on" if self.shedding else "off",
            # A queue is in front: it takes what is too much for a moment, and its wait tells.
            "TIDEGATE_SHED_IN_FLIGHT": "1.15",
            "TIDEGATE_SHED_WAIT_MS": extent.wait_ms,
            "STORM_SERVICE_S": str(extent.service_s),
            "STORM_LIMIT": extent.limit if self.limits else "",
        }


SHEDDING = Protection("Tidegate: limits and shedding", limits=True, shedding=True)
LIMITS_ONLY = Protection("limits only", limits=True, shedding=False)
NOTHING = Protection("nothing", limits=False, shedding=False)
PROTECTIONS = (SHEDDING, LIMITS_ONLY, NOTHING)


@dataclass(frozen=True)
class Half:
    """One storm with Redis, or without.

    Attributes:
        redis: whether it was there.
        began_s, ended_s: when, in seconds of the storm's run.
        height_s: when it was at its height, from where goodput is counted: before, there was not more to do.
        asked: what came in it, and what was answered in it.
    """

    redis: bool
    began_s: float
    height_s: float
    ended_s: float
    asked: tuple[Asked, ...]

    @property
    def came(self) -> tuple[Asked, ...]:
        return tuple(one for one in self.asked if self.began_s <= one.came_s < self.ended_s)

    @property
    def served(self) -> tuple[Asked, ...]:
        """Answered in time, in this half."""
        return tuple(
            one for one in self.asked if one.outcome == "served" and self.began_s <= one.ended_s < self.ended_s
        )

    def outcomes(self, criticality: Criticality) -> Counter[Outcome]:
        return Counter(one.outcome for one in self.came if one.criticality == criticality)

    def success(self, criticality: Criticality) -> float:
        outcomes = self.outcomes(criticality)
        return outcomes["served"] / max(1, outcomes.total())

    @property
    def goodput_per_s(self) -> float:
        at_height = [one for one in self.served if one.ended_s >= self.height_s]
        return len(at_height) / (self.ended_s - self.height_s)


@dataclass(frozen=True)
class Storm:
    """One storm, whole.

    Attributes:
        protection, factor: against what, and how much.
        capacity: of the fleet, in requests a second.
        unloaded_p99_s: what requests took in the quiet before.
        halves: with Redis and without.
        asked: everything from the quiet on.
    """

    protection: Protection
    factor: float
    capacity: float
    unloaded_p99_s: float
    halves: tuple[Half, ...]
    asked: tuple[Asked, ...]


async def storms(protection: Protection, extent: Extent, watch: Watch) -> list[Storm]:
    """Raise one storm after the other, each over a fleet and a Redis of its own."""
    return [await _raise(protection, factor, extent, watch) for factor in extent.factors]


async def _raise(protection: Protection, factor: float, extent: Extent, watch: Watch) -> Storm:
    with RedisServer() as redis:
        async with Fleet(extent.environments, extent.queue, protection.variables(extent, redis)) as fleet:
            for criticality in MIX:  # the first answer of an environment is a cold start's
                await fleet.warm(rest_event("GET", f"/{criticality}", api_key_id="nobody"))
            return await _storm(fleet, redis, protection, factor, extent, watch)


async def _storm(
    fleet: Fleet, redis: RedisServer, protection: Protection, factor: float, extent: Extent, watch: Watch
) -> Storm:
    clients = Clients(fleet, extent.principals, extent.patience_s)
    watching = asyncio.create_task(_watch(clients, f"{protection.name}, {factor:g} x", watch))
    await clients.come(_QUIET * extent.capacity, _QUIET_S)
    unloaded = percentile_s([one for one in clients.asked if one.outcome == "served"], 0.99)
    began_s = clients.now_s
    for step in range(1, RISE_STEPS + 1):
        await clients.come(extent.capacity * factor * step / RISE_STEPS, RISE_S / RISE_STEPS)
    height_s = clients.now_s
    await clients.come(extent.capacity * factor, extent.half_s)
    killed_s = clients.now_s
    redis.kill()
    await clients.come(extent.capacity * factor, extent.half_s)
    ended_s = clients.now_s
    await clients.ended()
    watching.cancel()
    asked = tuple(clients.asked)
    halves = (
        Half(redis=True, began_s=began_s, height_s=height_s, ended_s=killed_s, asked=asked),
        Half(redis=False, began_s=killed_s, height_s=killed_s, ended_s=ended_s, asked=asked),
    )
    return Storm(protection, factor, extent.capacity, unloaded, halves, asked)


async def _watch(clients: Clients, name: str, watch: Watch) -> None:
    while True:
        watch(name, clients.now_s, clients.asked)
        await asyncio.sleep(0.25)
