"""Many environments over two simulated stores in one simulated time, each with a clock of its own."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from unittest.mock import patch

import tidegate.stores.dynamodb.store as dynamodb_module
from tests.harness.inline_background import InlineBackground
from tests.simulation.idempotency_environment import _Inline
from tests.simulation.overadmission_stores import DynamoServer, RedisRung, SimulatedDynamoClient, SimulatedRedis
from tidegate.failover import circuit
from tidegate.failover.breaker import Breaker
from tidegate.failover.circuit import CircuitBreakerStore
from tidegate.failover.fallback import Fallback, FallbackPlace, fallback
from tidegate.failover.store import FailoverStore
from tidegate.limits.token_bucket import Bucket
from tidegate.messages import Charge, Fleet, Question
from tidegate.stores.dynamodb.clock import ReferenceClock
from tidegate.stores.dynamodb.fleet import FleetTable
from tidegate.stores.fleet import FleetView
from tidegate.stores.memory import MemoryStore

SKEW_US = 5_000_000
START_US = 1_800_000_000_000_000


class SkewedClock:
    """The world's time as one environment has it."""

    def __init__(self, now_us: Callable[[], int], skew_us: int) -> None:
        self._now_us = now_us
        self._skew_us = skew_us

    def wall_us(self) -> int:
        return self._now_us() + self._skew_us

    def monotonic(self) -> float:
        return self._now_us() / 1_000_000


class Environment:
    """One environment: the chain as `compose` makes it, over the simulated stores."""

    def __init__(self, world: World, number: int, skew_us: int) -> None:
        clock = SkewedClock(lambda: world.now_us, skew_us)
        self.awake = True
        self.redis = RedisRung(world.redis, f"{number:05}", clock)
        self.view = FleetView(clock, Fleet(world.size, number))
        reference = ReferenceClock(clock)
        table = FleetTable(SimulatedDynamoClient(world.dynamodb, reference), "table", "simulated")
        place = FallbackPlace(table, 1.0, reference, clock, shadow_share=0)
        self.fallback: Fallback = fallback(place, self.redis.away, self.view, InlineBackground())
        handles = [CircuitBreakerStore(self.redis, Breaker(clock), clock), self.fallback.handle]
        self.store = FailoverStore(handles, MemoryStore(clock), clock, self.view, [self.fallback.leases.give_back])
        # How others fall back: each process has the whole limit to itself.
        self.alone = MemoryStore(clock)

    def ask(self, question: Question) -> bool:
        return self.store.admit(question).admitted


class Meter:
    """One caller's admissions against burst + rate x time, over every stretch of time at once.

    `highest` is the most, over all stretches, of what was admitted in one less what its rate admits in it.
    """

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket
        self.highest = 0.0
        self.times: list[int] = []
        self.asked: list[int] = []
        self._tat_us = 0

    def count(self, now_us: int, *, admitted: bool) -> None:
        self.asked.append(now_us)
        if admitted:
            self.times.append(now_us)
            self._tat_us = max(self._tat_us, now_us) + self.bucket.interval_us
            self.highest = max(self.highest, (self._tat_us - now_us) / self.bucket.interval_us)

    def admitted(self, since_us: int, until_us: int) -> int:
        return sum(since_us <= time < until_us for time in self.times)


class World:
    """The stores, the environments and the time; everything random comes from the seed."""

    def __init__(self, size: int, seed: int, bucket: Bucket) -> None:
        self.random = random.Random(seed)
        self.now_us = START_US
        self.size = size
        self.bucket = bucket
        self.redis = SimulatedRedis(lambda: self.now_us)
        self.dynamodb = DynamoServer(lambda: self.now_us)
        self.environments = [
            Environment(self, number, self.random.randint(-SKEW_US, SKEW_US)) for number in range(size)
        ]
        self.meters: dict[str, Meter] = {}
        self.per_process = Meter(bucket)

    @property
    def seconds(self) -> float:
        return (self.now_us - START_US) / 1_000_000

    def ask(self, environment: Environment, subject: str) -> bool:
        question = Question(subject, (Charge("limit", self.bucket),))
        admitted = environment.ask(question)
        self.meters.setdefault(subject, Meter(self.bucket)).count(self.now_us, admitted=admitted)
        return admitted

    def compare(self, environment: Environment, subject: str) -> None:
        """Ask as a library does that falls back to each process's memory."""
        store = self.redis_alone if self.redis.up and not environment.redis.cut else environment.alone
        admitted = store.admit(Question(subject, (Charge("limit", self.bucket),))).admitted
        self.per_process.count(self.now_us, admitted=admitted)

    redis_alone: MemoryStore


def held() -> AbstractContextManager[object]:
    """No threads, and no log lines for each of a thousand environments."""
    stack = ExitStack()
    stack.enter_context(patch.object(dynamodb_module, "Bounded", _Inline))
    stack.enter_context(patch.object(circuit, "store_changed", lambda *_: None))
    return stack


def make(size: int, seed: int, bucket: Bucket) -> World:
    world = World(size, seed, bucket)
    world.redis_alone = MemoryStore(SkewedClock(lambda: world.now_us, 0))
    return world
