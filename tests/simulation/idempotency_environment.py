"""One simulated environment: the library composed as it always is, with its edges, clock and loop held."""

import asyncio
import inspect
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeVar
from unittest.mock import patch

from starlette.types import ASGIApp

import tidegate.compose_dynamodb as table_module
import tidegate.stores.dynamodb.store as dynamodb_module
import tidegate.stores.redis.store as redis_module
from tests.harness.inline_background import InlineBackground
from tests.simulation.idempotency_dynamodb import SimulatedClient
from tests.simulation.idempotency_ledger import INVOCATION_MS
from tests.simulation.idempotency_links import Link
from tests.simulation.idempotency_loop import HeldLoop
from tests.simulation.idempotency_redis import SimulatedRedisStore
from tests.simulation.idempotency_shop import TABLE
from tidegate.blocking import BlockingRunner
from tidegate.compose import Lifecycle, compose
from tidegate.environment import Environment
from tidegate.guard import Guard
from tidegate.idempotency.lazy_claims import LazyClaims
from tidegate.settings import Settings
from tidegate.steps import Steps, run
from tidegate.stores.dynamodb.client import DynamoTimeouts

if TYPE_CHECKING:
    from tests.simulation.idempotency_world import World

Result = TypeVar("Result")
SETTINGS = Settings(
    redis_url="redis://simulated", table="simulated", region="nowhere", trust_api_key_header=True, shadow_share=0
)


class SkewedClock:
    """The world's time as one environment has it."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.skew_us = 0

    def wall_us(self) -> int:
        return self._world.now_us + self.skew_us

    def monotonic(self) -> float:
        return self._world.now_us / 1_000_000


class SimulatedEnvironment:
    """One environment, its line to each server, and what is paused in it."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.clock = SkewedClock(world)
        self.loop = HeldLoop(self.clock)
        self.redis = Link("redis", world.redis, self._meanwhile, world.counts)
        self.dynamodb = Link("dynamodb", world.dynamodb, self._meanwhile, world.counts)
        self.pauses: list[asyncio.Future[None]] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.frozen = False
        self.blocked = False
        self._lifecycle = _Held(self._composed())
        self._guard: Guard | None = None

    @property
    def runs(self) -> bool:
        """Whether anything in it can go on now."""
        return not self.frozen and not self.blocked

    @property
    def links(self) -> tuple[Link, Link]:
        return self.redis, self.dynamodb

    def guard(self, app: ASGIApp) -> Guard:
        if self._guard is None:
            self._guard = Guard(app, self._lifecycle, lambda: TABLE)
        return self._guard

    def client(self, timeouts: DynamoTimeouts) -> SimulatedClient:
        return SimulatedClient(self.dynamodb, self.world.dynamodb, timeouts)

    async def pause(self) -> None:
        """Wait until the simulation says to go on."""
        if not self.dynamodb.dead:
            paused = self.loop.create_future()
            self.pauses.append(paused)
            await paused

    def resume(self, which: int) -> None:
        """End one pause, and run until everything waits again."""
        if self.pauses:
            self.pauses.pop(which % len(self.pauses)).set_result(None)
        self.loop.drain()

    def crash(self) -> None:
        """What runs here never comes back; it can't reach anything any more while Python takes it down."""
        for link in self.links:
            link.dead = True
        for task in self.tasks:
            task.cancel()
        self.pauses.clear()
        self.loop.drain()
        for task in self.tasks:  # one that came in the midst of a blocking call has not even begun
            coroutine = task.get_coro()
            if inspect.iscoroutine(coroutine) and inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED:
                coroutine.close()

    def _meanwhile(self) -> None:
        """A blocking call is under way: nothing else happens in this environment, anything may elsewhere."""
        self.blocked = True
        try:
            self.world.meanwhile()
        finally:
            self.blocked = False

    def _composed(self) -> Environment:
        def client(timeouts: DynamoTimeouts, *_: Any, **__: Any) -> SimulatedClient:
            return self.client(timeouts)

        def redis_store(*_: Any, **__: Any) -> SimulatedRedisStore:
            return SimulatedRedisStore(self.redis, self.world.redis, self.clock)

        with ExitStack() as edges:
            edges.enter_context(patch.object(table_module, "DynamoClient", client))
            edges.enter_context(patch.object(redis_module, "RedisStore", redis_store))
            edges.enter_context(patch.object(dynamodb_module, "Bounded", _Inline))
            edges.enter_context(patch.object(table_module, "Background", InlineBackground))
            composed = compose(SETTINGS, self.clock)
            if composed.table is not None:
                composed.table()  # made later, it would have the real edges
            if isinstance(composed.claims, LazyClaims):
                composed.claims._in_time._bounded = _Inline()  # type: ignore[assignment]  # it is asked in the same way
        ways = [name for name, part in composed._asdict().items() if isinstance(part, BlockingRunner)]
        return composed._replace(**dict.fromkeys(ways, _Waiter(self)))


class Invocation:
    """The context that Lambda gives with an event, of an invocation that has its whole time before it."""

    aws_request_id = "simulated"

    def get_remaining_time_in_millis(self) -> int:
        return INVOCATION_MS


class _Waiter:
    """A store's call can be overtaken by anything before it begins and after it has ended."""

    # As on Lambda, nobody cancels a request while its question is asked.
    inline = True

    def __init__(self, environment: SimulatedEnvironment) -> None:
        self._environment = environment

    async def __call__(self, call: Callable[[], Result]) -> Result:
        await self._environment.pause()
        try:
            return call()
        finally:
            await self._environment.pause()

    async def steps(self, steps: Steps[Result]) -> Result:
        return await self(lambda: run(steps))


class _Held(Lifecycle):
    """A lifecycle whose environment is there already, and in which nothing happens after a request."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(lambda: SETTINGS)
        self._environment = environment

    def after_request(self) -> None:
        """No thread but the simulation's."""


class _Inline:
    """Threads would make the order of things the operating system's."""

    def __init__(self, *_: Any, **__: Any) -> None:
        """Nothing to start."""

    def run(self, call: Callable[[], Result], seconds: float) -> Result:
        del seconds
        return call()
