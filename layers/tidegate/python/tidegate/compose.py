"""The composition root: makes the parts of an environment, once and lazily.

An environment is a Lambda sandbox, which lives over many invocations, or a server process. All parts that talk to a
store are made here, or in the files that this one names, and are used by every request.
"""

from __future__ import annotations

import random
import threading
import uuid
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING

from tidegate.blocking import BlockingRunner
from tidegate.clock import Clock, SystemClock
from tidegate.environment import PATIENCE_S, Environment
from tidegate.errors import ConfigurationError, StoreUnavailableError
from tidegate.failover.breaker import Breaker
from tidegate.failover.circuit import CircuitBreakerStore, StoreHandle
from tidegate.failover.lazy_dynamodb import LazyDynamoHandle
from tidegate.failover.store import FailoverStore, Watcher
from tidegate.forks import forget_in_children
from tidegate.idempotency.bounded_claims import BoundedClaims
from tidegate.idempotency.claim_store import ClaimStore
from tidegate.idempotency.lazy_claims import LazyClaims
from tidegate.idempotency.renewal import Renewer
from tidegate.idempotency.replay_budget import ReplayBudget
from tidegate.identity.caller import Identifier
from tidegate.lazy import Lazy
from tidegate.limits.overrides import OverridesReader
from tidegate.messages import Fleet
from tidegate.redis_clients import is_cluster
from tidegate.service_name import of_what_is_named
from tidegate.settings import Settings
from tidegate.shedding.fleet_demand import DemandView
from tidegate.shedding.shedder import Shedder
from tidegate.stores.base import Store
from tidegate.stores.fleet import FleetView
from tidegate.stores.fleet_secret import FleetSecret
from tidegate.stores.memory import MemoryStore
from tidegate.telemetry import destination, logger

if TYPE_CHECKING:
    from tidegate.cache.state import CacheState
    from tidegate.compose_dynamodb import DynamoComponents
    from tidegate.outcomes.counter import OutcomeCounter
    from tidegate.outcomes.tally import Tally
    from tidegate.overflow.queue import RequestQueue
    from tidegate.stores.redis.store import RedisStore, Rider
    from tidegate.web.uploads import Uploads


# Redis' share of a decision's budget: enough for a hundred ordinary replies. If it hangs, DynamoDB still has the
# greater part.
_REDIS_SHARE = 1 / 3
# The response is sent by then. A thread that imports modules earlier would delay it by thread switches (5 ms each).
_ANSWER_OUT_S = 0.05
_ENDS_WITHIN_S = 4.0
_WAITERS = ("decide", "call", "claim")


def compose(settings: Settings, clock: Clock | None = None) -> Environment:
    """Build an environment; nothing is connected yet.

    Raises:
        ConfigurationError: a setting is wrong in a way that only shows in use.
    """
    clock = clock or SystemClock()
    destination()  # a log that can't be written is found here, and not by a request
    if not settings.memory_only:
        from tidegate.startup.aws_checks import check_aws  # noqa: PLC0415  only with shared stores

        check_aws(settings)
    handles: list[StoreHandle] = []
    claims: ClaimStore | None = None
    table: Lazy[DynamoComponents] | None = None
    queue: Callable[[], RequestQueue | None] = _nothing
    overrides = OverridesReader(dict, clock)
    last = MemoryStore(clock)
    view = FleetView(clock, Fleet(settings.fleet_size, random.randrange(settings.fleet_size)))  # noqa: S311  no secret
    demand = DemandView(clock, lambda: view.fleet.environments) if settings.capacity else None
    secret = FleetSecret(settings.principal_secret)
    watchers: list[Watcher] = []
    redis: RedisStore | None = None
    tally = _tally(settings, clock, lambda: view.fleet.environments)
    if settings.uses_redis:
        redis = _redis(settings, clock, _riders(settings, demand, tally), secret)
        handles.append(_tracked(redis, clock))
    if settings.table:
        in_time = BoundedClaims(Breaker(clock))
        made = partial(_dynamo_components, settings, settings.table, clock, redis, view, in_time.heard)
        table = parts = Lazy(made)
        queue = cache(lambda: _queue(settings, parts))
        claims, handle = LazyClaims(settings.table, table, in_time), LazyDynamoHandle(table, clock)
        overrides = OverridesReader(lambda: parts().read_overrides(), clock)
        handles.append(handle)
        watchers.append(handle.watch)
    if settings.memory_only:
        from tidegate.idempotency.memory import MemoryClaims  # noqa: PLC0415  only without shared stores

        claims = MemoryClaims(clock)
    decide, call, claiming = (BlockingRunner(inline=settings.on_lambda, name=f"tidegate-{does}") for does in _WAITERS)
    stores = FailoverStore(handles, last, clock, view, watchers)
    return Environment(
        settings,
        clock,
        stores,
        claims,
        table,
        decide,
        call,
        claiming,
        Identifier(settings),
        overrides,
        Renewer(),
        Shedder(settings, clock, demand, secret),
        queue,
        Lazy(lambda: _cache(settings, clock, handles, view)),
        None if tally is None else _outcomes(settings, tally, clock, redis, table),
        {},
        _uploads(settings),
        ReplayBudget(clock, settings.replay_bytes_per_s),
    )


class Lifecycle:
    """Makes the environment at its first use, or at start on Lambda, and closes it.

    Args:
        read: reads the settings.
    """

    def __init__(self, read: Callable[[], Settings]) -> None:
        self.read = read
        self._environment: Environment | None = None
        self._warming: threading.Timer | None = None
        self._warmed = False
        self._lock = threading.Lock()
        forget_in_children(self)

    @property
    def environment(self) -> Environment:
        """The environment, composed and connected at first use.

        Connecting here keeps the costs of a cold start (TLS, botocore's models) out of the first decision's budget, and
        a store that is down is known before the first request.

        Raises:
            ConfigurationError: a setting is wrong.
        """
        if self._environment is None:
            with self._lock:
                if self._environment is None:
                    environment = compose(self.read())
                    environment.stores.connect(PATIENCE_S)
                    self._environment = environment
        return self._environment

    def exchange(self, environment: Environment | None) -> Environment | None:
        """Put another environment in the present one's place, and return that; for tests."""
        before, self._environment = self._environment, environment
        return before

    def after_request(self) -> None:
        """After the first response, make DynamoDB's parts ready in the background; later calls are cheap."""
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

    def _warm(self, environment: Environment, table: Lazy[DynamoComponents]) -> None:
        try:
            table().warm()
        except StoreUnavailableError as error:
            logger().warning("the fallback is not ready", extra={"store": error.store, "fault": str(error)})
        environment.overrides.refresh_if_due()
        self._warmed = True

    def close(self) -> None:
        """Close connections, and end the background's work; the next request opens new ones."""
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
        """Free the slots of running requests, and close: there is no next request."""
        environment = self._environment
        if environment is not None and environment.held:
            from tidegate.limits.slots import free_all  # noqa: PLC0415  only if slots are held

            free_all(environment)
        self.close()

    def renew(self) -> None:
        """Compose the environment anew after it was copied, with its own names, random numbers and connections."""
        self.forget()
        _ = self.environment

    def forget(self) -> None:
        """Drop the environment of the process or snapshot of which this is a copy; the next request makes a new one."""
        random.seed()
        self._environment, self._warming, self._warmed, self._lock = None, None, False, threading.Lock()


def _nothing() -> None:
    """Return no queue."""


def _tracked(store: Store, clock: Clock) -> CircuitBreakerStore:
    return CircuitBreakerStore(store, Breaker(clock), clock)


def _riders(settings: Settings, demand: DemandView | None, tally: Tally | None) -> Sequence[Rider]:
    """Return the riders, whose calls go along with decisions to Redis."""
    riders: list[Rider] = []
    if demand is not None:
        from tidegate.shedding.in_redis import DemandRider  # noqa: PLC0415  only with a capacity

        riders.append(DemandRider(demand, settings.namespace))
    if tally is not None:
        from tidegate.outcomes.in_redis import TallyRider  # noqa: PLC0415  only if outcomes are counted

        riders.append(TallyRider(tally))
    return riders


def _uploads(settings: Settings) -> Uploads | None:
    if settings.on_lambda:
        return None
    from tidegate.web.uploads import Bounds, Uploads  # noqa: PLC0415  Lambda's requests come whole

    timeout_s = settings.body_timeout_ms / 1000
    return Uploads(Bounds(timeout_s, settings.body_bytes_per_s, settings.bodies_per_principal, settings.bodies))


def _tally(settings: Settings, clock: Clock, environments: Callable[[], int]) -> Tally | None:
    if settings.counted_as is None or settings.memory_only:
        return None
    from tidegate.outcomes.tally import Source, Tally  # noqa: PLC0415  only if outcomes are counted

    return Tally(Source(of_what_is_named(settings.namespace), *settings.counted_as), clock, environments)


def _outcomes(
    settings: Settings, tally: Tally, clock: Clock, redis: RedisStore | None, table: Lazy[DynamoComponents] | None
) -> OutcomeCounter:
    from tidegate.outcomes.counter import OutcomeCounter  # noqa: PLC0415  as above

    return OutcomeCounter(tally, clock, redis, settings.table, table, settings.scratch)


def _redis(settings: Settings, clock: Clock, riders: Sequence[Rider], secret: FleetSecret) -> RedisStore:
    from tidegate.redis_driver.node import RedisTarget  # noqa: PLC0415  the driver is imported only if it is used
    from tidegate.stores.redis.store import RedisStore  # noqa: PLC0415

    credentials = None
    if settings.redis_iam_user and settings.redis_iam_cache:
        from tidegate.redis_driver.elasticache_iam import IamCredentials  # noqa: PLC0415

        credentials = IamCredentials(settings.redis_iam_user, settings.redis_iam_cache, region=settings.region)
    timeout_s = settings.decision_budget_ms / 1000 * _REDIS_SHARE
    fixed_ms = settings.redis_timeout_ms
    waits_s = timeout_s if fixed_ms is None else fixed_ms / 1000
    client, adapts = settings.redis, fixed_ms is None
    cluster = settings.redis_cluster if client is None else is_cluster(client)
    target = RedisTarget(settings.redis_url or "", waits_s, timeout_s, cluster, credentials, adapts, client)
    try:
        target.check()
    except (ValueError, TypeError) as error:
        raise ConfigurationError(
            "TIDEGATE_REDIS_URL",
            f"it can't be read ({error}); write redis://USER:PASSWORD@HOST:6379/0, or rediss:// for TLS",
        ) from error
    copies = (settings.cache_caller_bytes, settings.cache_redis_bytes)
    environment_id = uuid.uuid4().hex[:12]
    return RedisStore(target, settings.namespace, environment_id, clock, riders, copies=copies, secret=secret)


def _dynamo_components(
    settings: Settings,
    table: str,
    clock: Clock,
    redis: RedisStore | None,
    view: FleetView,
    answered: Callable[[], object],
) -> DynamoComponents:
    from tidegate.compose_dynamodb import PrimaryStoreInfo, dynamo_components  # noqa: PLC0415  botocore's users, only when needed

    return dynamo_components(
        settings, table, clock, None if redis is None else PrimaryStoreInfo(redis.away, view), answered
    )


def _queue(settings: Settings, parts: Callable[[], DynamoComponents]) -> RequestQueue | None:
    if settings.queue_url is None:
        return None
    from tidegate.overflow.queue import RequestQueue  # noqa: PLC0415  only with a queue

    return RequestQueue.of(settings, parts().client, settings.table or "", parts().clock)


def _cache(settings: Settings, clock: Clock, handles: Sequence[StoreHandle], view: FleetView) -> CacheState:
    from tidegate.cache.local import LocalCopies  # noqa: PLC0415  only for cached routes
    from tidegate.cache.state import CacheState  # noqa: PLC0415

    shared = None
    if settings.uses_redis:
        from tidegate.cache.shared import shared_copies  # noqa: PLC0415

        shared = shared_copies(handles)
    patient = BlockingRunner(inline=settings.on_lambda, name="tidegate-cache")
    return CacheState(LocalCopies(clock, settings.cache_bytes), shared, view, patient)
