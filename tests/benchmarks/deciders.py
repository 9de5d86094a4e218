"""Limiters without an application around them: ours by its stores, the peers by their own calls.

A decider is a function of the caller's name; it returns whether the caller may go on.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Decide = Callable[[str], bool]


@dataclass(frozen=True)
class Decider:
    """One limiter at one place.

    Attributes:
        name: what it is called in the tables.
        needs: the peers' distributions that it needs.
        make: opens it, for a Redis URL (or for nothing, in memory) and `Rate`.
    """

    name: str
    needs: tuple[str, ...]
    make: Callable[[str, Rate], Decide]


@dataclass(frozen=True)
class Rate:
    """So many in so many seconds, and what may come at once; and what one call costs."""

    count: int
    seconds: int = 1
    burst: int | None = None
    cost: int = 1

    @property
    def depth(self) -> int:
        """What may come at once."""
        return self.burst or self.count


def tidegate_store(store: Any, *limits: Any, cost: int = 1, now_us: int = 0) -> Decide:
    """Decide by a store of ours, as the guard asks it."""
    from tidegate.messages import Charge, Question

    charges = tuple(Charge(f"limit-{n}", limit.rule(now_us), cost) for n, limit in enumerate(limits))
    return lambda caller: store.admit(Question(caller, charges)).admitted


def tidegate_redis_store(url: str, client: Any = None) -> Any:
    """Our Redis store with ample timeouts: these benchmarks are not about faults."""
    from tidegate.clock import SystemClock
    from tidegate.redis_driver.node import RedisTarget
    from tidegate.stores.redis.store import RedisStore

    return RedisStore(RedisTarget(url, 20.0, 20.0, client=client), "bench", uuid.uuid4().hex[:12], SystemClock())


def tidegate_memory_store() -> Any:
    """Our memory store."""
    from tidegate.clock import SystemClock
    from tidegate.stores.memory import MemoryStore

    return MemoryStore(SystemClock())


def token_bucket(rate: Rate) -> Any:
    """Our token bucket of a rate."""
    from tidegate import TokenBucket

    return TokenBucket(f"{rate.count}/{rate.seconds}s", burst=rate.depth)


def limits_strategy(strategy: str, url: str, rate: Rate) -> Decide:
    """One of limits' strategies."""
    from limits import RateLimitItemPerSecond, strategies
    from limits.storage import storage_from_string

    # Two strategies would take each other's keys for their own; the prefix is as long as the default one.
    options = {"key_prefix": strategy[:6].upper()} if url.startswith("redis") else {}
    limiter = getattr(strategies, strategy)(storage_from_string(url, **options))
    item = RateLimitItemPerSecond(rate.count, rate.seconds)
    return lambda caller: limiter.hit(item, caller, cost=rate.cost)


def throttled(using: str, url: str, rate: Rate) -> Decide:
    """One of throttled-py's algorithms."""
    import datetime as dt

    from throttled import MemoryStore, RedisStore, Throttled, rate_limiter

    quota = rate_limiter.per_duration(dt.timedelta(seconds=rate.seconds), rate.count, burst=rate.depth)
    store = RedisStore(server=url) if url else MemoryStore()
    limiter = Throttled(using=using, quota=quota, store=store)
    return lambda caller: not limiter.limit(caller, cost=rate.cost).limited


def pyrate(url: str, rate: Rate) -> Decide:
    """pyrate-limiter, a bucket for each caller, as its documentation has it, but without its background clean-up."""
    import redis
    from pyrate_limiter import BucketFactory, Duration, InMemoryBucket, Limiter, RateItem, RedisBucket
    from pyrate_limiter import Rate as PyrateRate

    rates = [PyrateRate(rate.count, Duration.SECOND * rate.seconds)]
    client = redis.Redis.from_url(url) if url else None

    class Buckets(BucketFactory):
        def __init__(self) -> None:
            self.buckets: dict[str, Any] = {}

        def wrap_item(self, name: str, weight: int = 1) -> RateItem:
            return RateItem(name, time.time_ns() // 1_000_000, weight=weight)

        def get(self, item: RateItem) -> Any:
            if item.name not in self.buckets:
                key = f"pyrate:{item.name}"
                self.buckets[item.name] = RedisBucket.init(rates, client, key) if client else InMemoryBucket(rates)
            return self.buckets[item.name]

    limiter = Limiter(Buckets())
    return lambda caller: bool(limiter.try_acquire(caller, rate.cost, blocking=False))


def in_redis() -> Sequence[Decider]:
    """Every limiter that decides in Redis."""
    return [
        Decider("Tidegate, token bucket (GCRA)", (), _ours),
        Decider("limits, fixed window", ("limits",), _limits("FixedWindowRateLimiter")),
        Decider("limits, moving window", ("limits",), _limits("MovingWindowRateLimiter")),
        Decider("limits, sliding window counter", ("limits",), _limits("SlidingWindowCounterRateLimiter")),
        Decider("throttled-py, GCRA", ("throttled-py",), _throttled("gcra")),
        Decider("throttled-py, token bucket", ("throttled-py",), _throttled("token_bucket")),
        Decider("throttled-py, sliding window", ("throttled-py",), _throttled("sliding_window")),
        Decider("pyrate-limiter, log", ("pyrate-limiter",), pyrate),
    ]


def in_memory() -> Sequence[Decider]:
    """The same in one process's memory."""
    ours = Decider(
        "Tidegate, token bucket (GCRA)",
        (),
        lambda _, rate: tidegate_store(tidegate_memory_store(), token_bucket(rate), cost=rate.cost),
    )
    return [ours, *_our_windows(), *(Decider(d.name, d.needs, _in_memory(d)) for d in in_redis()[1:])]


def _our_windows() -> list[Decider]:
    """Our limits that count by the peers' algorithms: a fixed window is a quota, whose window is a calendar's."""
    from tidegate import Quota, SlidingWindow, SlidingWindowCounter

    def made(limit: Callable[[Rate], Any]) -> Callable[[str, Rate], Decide]:
        return lambda _, rate: tidegate_store(tidegate_memory_store(), limit(rate), cost=rate.cost, now_us=_now_us())

    return [
        # A second's window begins anew with each second: the day's has as many seconds' units.
        Decider("Tidegate, fixed window (quota)", (), made(lambda rate: Quota(f"{86_400 * rate.count}/day"))),
        Decider(
            "Tidegate, sliding window counter",
            (),
            made(lambda rate: SlidingWindowCounter(f"{rate.count}/{rate.seconds}s")),
        ),
        Decider("Tidegate, sliding window", (), made(lambda rate: SlidingWindow(f"{rate.count}/{rate.seconds}s"))),
    ]


def _now_us() -> int:
    return time.time_ns() // 1000


def _in_memory(decider: Decider) -> Callable[[str, Rate], Decide]:
    nowhere = "memory://" if "limits" in decider.needs else ""
    return lambda _, rate: decider.make(nowhere, rate)


def _ours(url: str, rate: Rate) -> Decide:
    return tidegate_store(tidegate_redis_store(url), token_bucket(rate), cost=rate.cost)


def _limits(strategy: str) -> Callable[[str, Rate], Decide]:
    return lambda url, rate: limits_strategy(strategy, url, rate)


def _throttled(using: str) -> Callable[[str, Rate], Decide]:
    return lambda url, rate: throttled(using, url, rate)
