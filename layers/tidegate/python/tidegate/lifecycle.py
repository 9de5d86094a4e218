"""What one execution environment holds, composed once, lazily: the composition root.

An environment is a Lambda sandbox, which lives over many invocations, or a server process. Everything that
talks to a store is made here and nowhere else, and reused by every request.
"""

from __future__ import annotations

import asyncio
import random
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from tidegate.clock import Clock, SystemClock
from tidegate.errors import ConfigurationError, StoreUnavailableError
from tidegate.identity import Identifier, Identify
from tidegate.mechanisms.renewal import Renewer
from tidegate.overrides import OverridesReader
from tidegate.question import Fleet
from tidegate.settings import Settings
from tidegate.stores.away import Away
from tidegate.stores.base import ClaimStore, Store
from tidegate.stores.breaker import Breaker
from tidegate.stores.failover import FailoverStore, Watcher
from tidegate.stores.fleet import FleetView
from tidegate.stores.memory import MemoryStore
from tidegate.stores.memory_claims import MemoryClaims
from tidegate.stores.tracked import TrackedStore
from tidegate.telemetry import logger

if TYPE_CHECKING:
    from tidegate.stores.dynamodb import DynamoStore
    from tidegate.stores.fallback import Fallback, FallbackPlace
    from tidegate.stores.redis import RedisStore

Result = TypeVar("Result")

# Of a decision's budget Redis gets a third: enough for a hundred ordinary replies, and when it hangs, DynamoDB
# still has the greater part. The rest is for the way between them.
_REDIS_SHARE = 1 / 3
_DYNAMODB_SHARE = 7 / 12
# Where nobody waits for a decision: at start, and when health is asked for.
PATIENCE_S = 0.5
_CLAIM_CONNECT_S = 0.5
_CLAIM_READ_S = 1.0
_CLAIM_ATTEMPTS = 2


@dataclass(frozen=True, slots=True)
class Environment:
    """The parts that live as long as the environment.

    Attributes:
        settings: as read at start.
        clock: where the time comes from.
        stores: the ladder that decides.
        claims: the store that guards effects; None if only Redis is configured.
        warm: makes what the fallback needs before it is needed.
        decide: runs a decision, and waits for it without blocking others.
        call: the same for all that isn't bounded by a decision's budget: claims, settlements, checks.
        identify: finds a request's principal, where the application doesn't do that itself.
        overrides: limits changed at run time.
        renewer: renews the claims of handlers whose end isn't known beforehand.
    """

    settings: Settings
    clock: Clock
    stores: FailoverStore
    claims: ClaimStore | None
    warm: Callable[[], None]
    decide: Waiter
    call: Waiter
    identify: Identify
    overrides: OverridesReader
    renewer: Renewer


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
        self._threads = None if inline else ThreadPoolExecutor(max_workers=64, thread_name_prefix=name)

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
    rungs: list[TrackedStore] = []
    claims: ClaimStore | None = None
    warm: Callable[[], None] = _nothing
    overrides = OverridesReader(dict, clock)
    last = MemoryStore(clock)
    view = FleetView(clock, Fleet(settings.fleet_size, random.randrange(settings.fleet_size)))  # noqa: S311  no secret
    watchers: list[Watcher] = []
    away = Away(clock)
    if settings.redis_url:
        redis = _redis(settings, settings.redis_url, budget_s * _REDIS_SHARE, clock)
        away = redis.away
        rungs.append(_tracked(redis, clock))
    if settings.table:
        place, claims, overrides = _dynamodb(settings, settings.table, budget_s * _DYNAMODB_SHARE, clock)
        warm = place.table.client.warm
        if settings.redis_url:
            behind = _fallback(place, away, view)
            rungs.append(behind.rung)
            warm = behind.warm
            watchers += [behind.leases.give_back, behind.shadow.watch]
        else:
            rungs.append(_tracked(_alone(place), clock))
    if settings.memory_only:
        claims = MemoryClaims(clock)
    decide, call = (Waiter(inline=settings.on_lambda, name=name) for name in ("tidegate-decide", "tidegate-call"))
    stores = FailoverStore(rungs, last, clock, view, watchers)
    return Environment(settings, clock, stores, claims, warm, decide, call, Identifier(settings), overrides, Renewer())


class Lifecycle:
    """Makes the environment at its first use, or at start where there is one, and closes it.

    Args:
        read: reads the settings.
    """

    def __init__(self, read: Callable[[], Settings]) -> None:
        self._read = read
        self._environment: Environment | None = None
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
        """After the first answer, get the fallback ready in the background; cheap ever after."""
        if not self._warmed:
            self._warmed = True
            threading.Thread(target=self._warm, name="tidegate-warm", daemon=True).start()
        if self._environment is not None:
            self._environment.overrides.refresh_if_due()

    def _warm(self) -> None:
        try:
            self.environment.warm()
        except StoreUnavailableError as error:
            logger().warning("the fallback is not ready", extra={"store": error.store, "fault": str(error)})

    def close(self) -> None:
        """Close connections; the next request opens new ones."""
        if self._environment is not None:
            self._environment.overrides.close()
            self._environment.stores.close()


def _nothing() -> None:
    """Nothing has to be made ready."""


def _tracked(store: Store, clock: Clock) -> TrackedStore:
    return TrackedStore(store, Breaker(clock), clock)


def _redis(settings: Settings, url: str, timeout_s: float, clock: Clock) -> RedisStore:
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
    return RedisStore(target, settings.namespace, uuid.uuid4().hex[:12], clock)


def _dynamodb(
    settings: Settings, table: str, budget_s: float, clock: Clock
) -> tuple[FallbackPlace, ClaimStore, OverridesReader]:
    from tidegate.stores.aws import DynamoClient, DynamoTimeouts  # noqa: PLC0415  as above
    from tidegate.stores.dynamodb_claims import DynamoClaims  # noqa: PLC0415
    from tidegate.stores.dynamodb_fleet import FleetTable  # noqa: PLC0415
    from tidegate.stores.dynamodb_overrides import read_overrides  # noqa: PLC0415
    from tidegate.stores.fallback import FallbackPlace  # noqa: PLC0415
    from tidegate.stores.reference_clock import ReferenceClock  # noqa: PLC0415

    # A clock that isn't the machine's own is a test's, and isn't to be put right.
    reference = ReferenceClock(clock) if isinstance(clock, SystemClock) else None
    shared, patience = reference or clock, DynamoTimeouts(PATIENCE_S, PATIENCE_S)
    claims_patience = DynamoTimeouts(_CLAIM_CONNECT_S, _CLAIM_READ_S, _CLAIM_ATTEMPTS)
    quick = DynamoClient(patience, region=settings.region, listener=reference)
    sure = DynamoClient(claims_patience, region=settings.region, listener=reference)
    overrides = OverridesReader(partial(read_overrides, sure, table, settings.namespace), clock)
    place = FallbackPlace(FleetTable(quick, table, settings.namespace), budget_s, shared, clock, settings.shadow_share)
    return place, DynamoClaims(sure, table, shared), overrides


def _fallback(place: FallbackPlace, away: Away, view: FleetView) -> Fallback:
    from tidegate.stores.background import Background  # noqa: PLC0415  as above
    from tidegate.stores.fallback import fallback  # noqa: PLC0415

    return fallback(place, away, view, Background())


def _alone(place: FallbackPlace) -> DynamoStore:
    """DynamoDB where no Redis is: an ordinary store by the ordinary time."""
    from tidegate.stores.dynamodb import DynamoStore  # noqa: PLC0415  as above

    return DynamoStore(place.table.client, place.table.table, place.clock, place.budget_s)
