"""The copies that the fleet shares: what is done with them beside the admission and the settlement. Blocking."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tidegate.caching.question import CacheRequest
from tidegate.errors import StoreUnavailableError
from tidegate.stores.redis import RedisStore
from tidegate.stores.redis_cache import CopyWaiter, void_calls
from tidegate.stores.tracked import Rung, TrackedStore


def shared_copies(rungs: Iterable[Rung]) -> SharedCopies | None:
    """Return the copies in Redis, if that is on the ladder."""
    tracked = (rung for rung in rungs if isinstance(rung, TrackedStore))
    redis = ((rung, rung.store) for rung in tracked if isinstance(rung.store, RedisStore))
    return next((SharedCopies(rung, store) for rung, store in redis), None)


class SharedCopies:
    """The copies in Redis.

    Args:
        rung: Redis' place on the ladder, whose breaker counts.
        redis: the store itself.
    """

    def __init__(self, rung: TrackedStore, redis: RedisStore) -> None:
        self._rung = rung
        self._redis = redis
        self._waiter = CopyWaiter(redis.target)

    def void(self, subjects: Sequence[str], tags: Sequence[str]) -> bool:
        """Void tags of several routes' copies, all at once; False if that isn't known to be done."""
        calls = void_calls(subjects, tags, cluster=self._redis.target.cluster)
        try:
            self._rung.ask(lambda _: self._redis.evaluate(calls))
        except StoreUnavailableError:
            return False
        return True

    def wait(self, request: CacheRequest, lease: str, wait_ms: int) -> None:
        """Wait until a lease has ended, or so long; how it ended is asked of Redis afterwards."""
        try:
            self._waiter.wait(request, lease, wait_ms)
        except StoreUnavailableError:
            return  # the next question finds out by itself

    def close(self) -> None:
        """Close the connections on which is waited."""
        self._waiter.close()
