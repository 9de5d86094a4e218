"""The fleet's copies in Redis: their operations outside admission and settlement. Blocking."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress

from tidegate.cache_messages import CacheRequest
from tidegate.errors import StoreUnavailableError
from tidegate.failover.circuit import CircuitBreakerStore, StoreHandle
from tidegate.stores.redis.cache import CopyWaiter, forget_call, void_calls
from tidegate.stores.redis.store import RedisStore


def shared_copies(handles: Iterable[StoreHandle]) -> SharedCopies | None:
    """Return the copies in Redis; None if Redis isn't in the failover chain."""
    tracked = (handle for handle in handles if isinstance(handle, CircuitBreakerStore))
    redis = ((handle, handle.store) for handle in tracked if isinstance(handle.store, RedisStore))
    return next((SharedCopies(handle, store) for handle, store in redis), None)


class SharedCopies:
    """The copies in Redis.

    Args:
        handle: Redis behind its circuit breaker, as in the failover chain.
        redis: the store itself.
    """

    def __init__(self, handle: CircuitBreakerStore, redis: RedisStore) -> None:
        self._handle = handle
        self._redis = redis
        self._waiter = CopyWaiter(redis.target)

    def void(self, subjects: Sequence[str], tags: Sequence[str]) -> bool:
        """Void tags for several routes; False if it isn't known to be done."""
        calls = void_calls(subjects, tags, cluster=self._redis.target.cluster)
        try:
            self._handle.ask(lambda _: self._redis.evaluate(calls))
        except StoreUnavailableError:
            return False
        return True

    def wait(self, request: CacheRequest, lease: str, wait_ms: int) -> None:
        """Wait until a lease has ended, at most `wait_ms`; the caller then asks Redis for its result."""
        try:
            self._waiter.wait(request, lease, wait_ms)
        except StoreUnavailableError:
            return  # the next question meets the outage itself

    def forget(self, request: CacheRequest, record: bytes) -> None:
        """Delete a malformed copy, so that the next request gets the lease."""
        with suppress(StoreUnavailableError):  # the next request meets the outage itself
            self._handle.ask(lambda _: self._redis.evaluate([forget_call(request, record)]))

    def close(self) -> None:
        """Close the connections that wait."""
        self._waiter.close()
