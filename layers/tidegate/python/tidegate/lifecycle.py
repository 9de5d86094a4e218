"""What one execution environment holds, composed once, lazily: the composition root.

An environment is a Lambda sandbox, which lives over many invocations, or a server process. Everything that
talks to a store is made here and nowhere else, and reused by every request.
"""

from __future__ import annotations

import asyncio
import random
import threading
import uuid
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from tidegate.clock import Clock, SystemClock
from tidegate.errors import ConfigurationError, StoreUnavailableError
from tidegate.identity import Identifier, Identify
from tidegate.mechanisms.renewal import Renewer
from tidegate.mechanisms.shedding import Shedder
from tidegate.overrides import OverridesReader
from tidegate.question import Charge, Fleet
from tidegate.settings import Settings
from tidegate.stores.base import ClaimStore, Store
from tidegate.stores.breaker import Breaker
from tidegate.stores.deferred import Deferred, DeferredClaims, DeferredRung
from tidegate.stores.demand import DemandView
from tidegate.stores.failover import FailoverStore, Watcher
from tidegate.stores.fleet import FleetView
from tidegate.stores.memory import MemoryStore
from tidegate.stores.tracked import Rung, TrackedStore
from tidegate.telemetry import logger

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from tidegate.caching.place import CachePlace
    from tidegate.mechanisms.request_queue import RequestQueue
    from tidegate.outcomes.counter import OutcomeCounter
    from tidegate.outcomes.tally import Tally
    from tidegate.stores.aws import DynamoClient
    from tidegate.stores.redis import RedisStore
    from tidegate.stores.table_parts import TableParts

Result = TypeVar("Result")

# Of a decision's budget Redis gets a third: enough for a hundred ordinary replies, and when it hangs, DynamoDB
# still has the greater part.
_REDIS_SHARE = 1 / 3
# Where nobody waits for a decision: at start, and when health is asked for.
PATIENCE_S = 0.5
# An answer is out by then. A thread that imports before holds it up by a switch of threads (5 ms) or several.
_ANSWER_OUT_S = 0.05
_ENDS_WITHIN_S = 4.0


class Environment(NamedTuple):
    """The parts that live as long as the environment.

    Attributes:
        settings: as read at start.
        clock: where the time comes from.
        stores: the ladder that decides.
        claims: the store that guards effects; None if only Redis is configured.
        table: what the DynamoDB table is used for, made when it is needed; None if there is none.
        decide: runs a decision, and waits for it without blocking others.
        call: the same for all that isn't bounded by a decision's budget: claims, settlements, checks.
        identify: finds a request's principal, where the application doesn't do that itself.
        overrides: limits changed at run time.
        renewer: renews the claims of handlers whose end isn't known beforehand.
        shedder: says what capacity is too short for.
        queue: returns the queue of what overflows, made when something does; None where none is configured.
        cache: returns what it holds for cached routes, made when one is asked for.
        outcomes: counts what becomes of requests; None: that isn't counted.
        held: the slots of the requests that run, and whose they are.
    """

    settings: Settings
    clock: Clock
    stores: FailoverStore
    claims: ClaimStore | None
    table: Deferred[TableParts] | None
    decide: Waiter
    call: Waiter
    identify: Identify
    overrides: OverridesReader
    renewer: Renewer
    shedder: Shedder
    queue: Callable[[], RequestQueue | None]
    cache: Deferred[CachePlace]
    outcomes: OutcomeCounter | None
    held: dict[tuple[Charge, ...], str]


class Waiter:
    """How blocking calls are waited for: the one place where that is chosen.

    On Lambda one request runs at a time, so a blocking call delays nobody and a thread would only cost; in a
    server calls run on threads. What may take long has threads of its own (a bulkhead, as in Nygard's "Release
    It!"): while DynamoDB hangs, each claim holds a thread for seconds, and no decision may queue behind those.

    Args:
        inline: call on the event loop's own thread.
        name: the threads' name.
    """

    def __init__(self, *, inline: bool, name: str = "tidegate") -> None:
        self._threads: Executor | None = None
        if not inline:
            from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  a function's cold start needs none

            self._threads = ThreadPoolExecutor(max_workers=64, thread_name_prefix=name)

    async def __call__(self, call: Callable[[], Result]) -> Result:
        """Run a call and return its result."""
        if self._threads is None:
            return call()
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)


def compose(settings: Settings, clock: Clock | None = None) -> Environment:
    """Build an environment; nothing is connected yet.

    Raises:
        ConfigurationError: a setting is wrong in a way that only its use shows.
    """
    clock = clock or SystemClock()
    budget_s = settings.decision_budget_ms / 1000
    rungs: list[Rung] = []
    claims: ClaimStore | None = None
    table: Deferred[TableParts] | None = None
    queue: Callable[[], RequestQueue | None] = _nothing
    overrides = OverridesReader(dict, clock)
    last = MemoryStore(clock)
    view = FleetView(clock, Fleet(settings.fleet_size, random.randrange(settings.fleet_size)))  # noqa: S311  no secret
    demand = DemandView(clock, lambda: view.fleet.environments) if settings.capacity else None
    watchers: list[Watcher] = []
    redis: RedisStore | None = None
    tally = _tally(settings, clock)
    if settings.redis_url:
        redis = _redis(settings, settings.redis_url, budget_s * _REDIS_SHARE, clock, _Riders(demand, tally))
        rungs.append(_tracked(redis, clock))
    if settings.table:
        table = parts = Deferred(partial(_table_parts, settings, settings.table, clock, redis, view))
        queue = cache(lambda: _queue(settings, parts().client, settings.table or "", parts().clock))
        claims, rung = DeferredClaims(settings.table, table), DeferredRung(table, clock)
        overrides = OverridesReader(lambda: parts().read_overrides(), clock)
        rungs.append(rung)
        watchers.append(rung.watch)
    if settings.memory_only:
        from tidegate.stores.memory_claims import MemoryClaims  # noqa: PLC0415  only where nothing is shared

        claims = MemoryClaims(clock)
    decide, call = (Waiter(inline=settings.on_lambda, name=name) for name in ("tidegate-decide", "tidegate-call"))
    stores = FailoverStore(rungs, last, clock, view, watchers)
    return Environment(
        settings,
        clock,
        stores,
        claims,
        table,
        decide,
        call,
        Identifier(settings),
        overrides,
        Renewer(),
        Shedder(settings, clock, demand),
        queue,
        Deferred(lambda: _cache(settings, clock, rungs, view)),
        None if tally is None else _outcomes(settings, tally, clock, redis, table),
        {},
    )


class Lifecycle:
    """Makes the environment at its first use, or at start where there is one, and closes it.

    Args:
        read: reads the settings.
    """

    def __init__(self, read: Callable[[], Settings]) -> None:
        self._read = read
        self._environment: Environment | None = None
        self._warming: threading.Timer | None = None
        self._warmed = False
        self._lock = threading.Lock()

    @property
    def environment(self) -> Environment:
        """The environment; composed and connected when first asked for.

        Connecting here rather than in the first decision keeps a cold start's costs (TLS, botocore's models) out
        of its budget, and a store that is down is known before a request has to find out.

        Raises:
            ConfigurationError: a setting is wrong.
        """
        if self._environment is None:
            with self._lock:
                if self._environment is None:
                    environment = compose(self._read())
                    environment.stores.connect(PATIENCE_S)
                    self._environment = environment
        return self._environment

    def after_request(self) -> None:
        """When the first answer is out, get what DynamoDB is used for ready in the background; cheap ever after."""
        environment = self._environment
        if environment is None or environment.table is None:
            return
        if self._warmed:
            environment.overrides.refresh_if_due()
            if environment.outcomes is not None:
                environment.outcomes.write_if_due()
        elif self._warming is None:
            self._warming = threading.Timer(_ANSWER_OUT_S, self._warm, (environment, environment.table))
            self._warming.name, self._warming.daemon = "tidegate-warm", True
            self._warming.start()

    def _warm(self, environment: Environment, table: Deferred[TableParts]) -> None:
        try:
            table().warm()
        except StoreUnavailableError as error:
            logger().warning("the fallback is not ready", extra={"store": error.store, "fault": str(error)})
        environment.overrides.refresh_if_due()
        self._warmed = True

    def close(self) -> None:
        """Close connections, and end what is under way in the background; the next request begins anew."""
        warming, self._warming = self._warming, None
        if warming is not None:
            warming.cancel()
            warming.join(_ENDS_WITHIN_S)
        if self._environment is not None:
            self._environment.overrides.close()
            if self._environment.outcomes is not None:
                self._environment.outcomes.close()
            self._environment.stores.close()
            if self._environment.cache.made is not None:
                self._environment.cache.made.close()

    def end(self) -> None:
        """Give back what requests hold, and close: there is no next request."""
        environment = self._environment
        if environment is not None and environment.held:
            from tidegate.mechanisms.slots import free_all  # noqa: PLC0415  only where slots are held

            free_all(environment)
        self.close()

    def renew(self) -> None:
        """Compose the environment anew, after it was copied: other names, other random numbers, own connections."""
        random.seed()
        self._environment, self._warming, self._warmed, self._lock = None, None, False, threading.Lock()
        _ = self.environment


def _nothing() -> None:
    """Nothing has to be made ready."""


def _tracked(store: Store, clock: Clock) -> TrackedStore:
    return TrackedStore(store, Breaker(clock), clock)


class _Riders(NamedTuple):
    """What rides along with decisions to Redis."""

    demand: DemandView | None
    tally: Tally | None


def _tally(settings: Settings, clock: Clock) -> Tally | None:
    if settings.counted_as is None or settings.memory_only:
        return None
    from tidegate.outcomes.tally import Source, Tally  # noqa: PLC0415  only what is released by versions counts

    return Tally(Source(settings.namespace, *settings.counted_as), clock)


def _outcomes(
    settings: Settings, tally: Tally, clock: Clock, redis: RedisStore | None, table: Deferred[TableParts] | None
) -> OutcomeCounter:
    from tidegate.outcomes.counter import OutcomeCounter  # noqa: PLC0415  as above

    return OutcomeCounter(tally, clock, redis, settings.table, table, settings.scratch)


def _redis(settings: Settings, url: str, timeout_s: float, clock: Clock, riders: _Riders) -> RedisStore:
    from tidegate.stores.connection import RedisTarget  # noqa: PLC0415  the driver is imported only if it is used
    from tidegate.stores.redis import RedisStore  # noqa: PLC0415

    credentials = None
    if settings.redis_iam_user and settings.redis_iam_cache:
        from tidegate.stores.elasticache import IamCredentials  # noqa: PLC0415

        credentials = IamCredentials(settings.redis_iam_user, settings.redis_iam_cache)
    target = RedisTarget(url, timeout_s, timeout_s, settings.redis_cluster, credentials)
    try:
        target.check()
    except (ValueError, TypeError) as error:
        raise ConfigurationError(
            "TIDEGATE_REDIS_URL",
            f"it can't be read ({error}); write redis://USER:PASSWORD@HOST:6379/0, or rediss:// for TLS",
        ) from error
    return RedisStore(target, settings.namespace, uuid.uuid4().hex[:12], clock, *riders)


def _table_parts(settings: Settings, table: str, clock: Clock, redis: RedisStore | None, view: FleetView) -> TableParts:
    from tidegate.stores.table_parts import Before, table_parts  # noqa: PLC0415  botocore's users, only when needed

    return table_parts(settings, table, clock, None if redis is None else Before(redis.away, view))


def _queue(settings: Settings, client: DynamoClient, table: str, clock: Clock) -> RequestQueue | None:
    if settings.queue_url is None:
        return None
    from tidegate.mechanisms.request_queue import RequestQueue  # noqa: PLC0415  only what overflows needs it
    from tidegate.stores.dynamodb_requests import RequestTable  # noqa: PLC0415
    from tidegate.stores.dynamodb_waiting import WaitingTable  # noqa: PLC0415
    from tidegate.stores.sqs import SqsQueue  # noqa: PLC0415

    return RequestQueue(
        RequestTable(client, table, clock, settings.idempotency_lifetime_ms),
        WaitingTable(client, table, clock, settings.queue_bound),
        SqsQueue(settings.queue_url, settings.region),
        SqsQueue(settings.dead_letter_url, settings.region) if settings.dead_letter_url else None,
        clock,
        expiry_ms=settings.queue_expiry_ms,
        bound=settings.queue_bound,
    )


def _cache(settings: Settings, clock: Clock, rungs: Sequence[Rung], view: FleetView) -> CachePlace:
    from tidegate.caching.local import LocalCopies  # noqa: PLC0415  only what caches needs it
    from tidegate.caching.place import CachePlace  # noqa: PLC0415

    shared = None
    if settings.redis_url:
        from tidegate.caching.shared import shared_copies  # noqa: PLC0415

        shared = shared_copies(rungs)
    patient = Waiter(inline=settings.on_lambda, name="tidegate-cache")
    return CachePlace(LocalCopies(clock, settings.cache_bytes), shared, view, patient)
