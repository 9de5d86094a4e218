"""What is asked of a hostile server, and how long its answer is waited for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from tests.harness.hostile_redis import HostileRedis
from tidegate.clock import SystemClock
from tidegate.limits.token_bucket import Bucket
from tidegate.messages import Charge, Question
from tidegate.redis_driver.node import RedisTarget
from tidegate.stores.redis.store import RedisStore

AMPLE_S = 20.0
# For what is awaited to time out.
QUIET_S = 0.05
LIMITED = Question("subject", (Charge("a", Bucket(60_000_000, 10)),))

Open = Callable[..., HostileRedis]


def opened_on(server: HostileRedis, closing: ExitStack, *, cluster: bool = False) -> RedisStore:
    """A store on that server, closed with the test."""
    store = RedisStore(RedisTarget(server.url, AMPLE_S, AMPLE_S, cluster=cluster), "n", "me", SystemClock())
    closing.callback(store.close)
    return store
