"""Where a store is, in a form that other processes can be told; every store under test is opened here."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fakeredis import FakeRedis, FakeServer
from redis import Redis, RedisCluster

import tidegate.stores.redis.scripts as redis_module
from tests.harness.on_loop import OnLoop
from tidegate.clock import Clock, SystemClock
from tidegate.idempotency.claim_store import ClaimStore
from tidegate.idempotency.dynamodb import DynamoClaims
from tidegate.idempotency.memory import MemoryClaims
from tidegate.messages import ClaimAnswer, ClaimRequest, Completed, Question, Settlement
from tidegate.redis_driver.elasticache_iam import IamCredentials
from tidegate.redis_driver.node import RedisTarget
from tidegate.stores.base import Store
from tidegate.stores.dynamodb.client import DynamoClient, DynamoTimeouts, Listener
from tidegate.stores.dynamodb.store import DynamoStore
from tidegate.stores.memory import MemoryStore
from tidegate.stores.redis.scripts import Script
from tidegate.stores.redis.store import RedisStore

# By their addresses; they live in this process alone.
_fake_servers: dict[str, FakeServer] = {}

CLUSTERS = {"redis-cluster", "redis-sharded", "redis-py-cluster", "redis-serverless"}

# Far above what a loaded machine needs: only the tests of faults are about time.
AMPLE_S = 20.0


@dataclass(frozen=True)
class Place:
    """One store's address.

    `kind` is memory, redis, redis-on-loop, redis-cluster, redis-sharded, redis-serverless, valkey, dynamodb, or a
    client of redis-py's: redis-py, redis-py-cluster, fakeredis. On a loop is one whose decisions an event loop waits
    for.
    `timeout_s` bounds every step of a call. `behind` is the server's own URL, if something stands before it.
    """

    kind: str
    address: str = ""
    table: str = ""
    timeout_s: float = AMPLE_S
    behind: str = ""

    @property
    def name(self) -> str:
        """How the store calls itself."""
        return "redis" if self.in_redis else self.kind

    @property
    def own_url(self) -> str:
        """Where tests look at what is stored."""
        return self.behind or self.address

    @property
    def in_redis(self) -> bool:
        return self.kind not in {"memory", "dynamodb"}

    def open(self, clock: Clock | None = None) -> Store:
        """A new environment's store; of memory there is no other than a new one."""
        clock = clock or SystemClock()
        if self.kind == "memory":
            return MemoryStore(clock)
        if self.kind == "dynamodb":
            return DynamoStore(self.dynamo_client(), self.table, clock, self.timeout_s)
        store = RedisStore(self.target(), "contract", uuid.uuid4().hex[:12], clock)
        return OnLoop(store) if self.kind == "redis-on-loop" else store

    def target(self) -> RedisTarget:
        """Where the place's Redis is, with a client of its own where it is asked through redis-py."""
        tokens = IamCredentials("app", "cache") if self.kind == "redis-serverless" else None
        return RedisTarget(
            self.address,
            self.timeout_s,
            self.timeout_s,
            self.kind in CLUSTERS,
            tokens,
            adapts=False,
            client=self.client(),
        )

    def client(self) -> Redis | RedisCluster | None:
        """An application's client, with options that mustn't matter; None where our own driver asks."""
        if self.kind == "fakeredis":
            return fake_redis(self.address, decode_responses=True)
        if self.kind == "redis-py":
            return Redis.from_url(self.address, decode_responses=True, protocol=3)
        if self.kind == "redis-py-cluster":
            return RedisCluster.from_url(self.address, decode_responses=True)
        return None

    def open_claims(self, clock: Clock | None = None) -> ClaimStore:
        """A new environment's claim store; Redis' own claims are asked for inside a question."""
        if self.kind == "memory":
            return MemoryClaims(clock or SystemClock())
        if self.kind == "dynamodb":
            return DynamoClaims(self.dynamo_client(), self.table, clock or SystemClock())
        return RedisClaims(self.open(clock))

    def dynamo_client(self, listener: Listener | None = None) -> DynamoClient:
        timeouts = DynamoTimeouts(self.timeout_s, self.timeout_s)
        return DynamoClient(timeouts, endpoint_url=self.address, listener=listener)


def fake_redis(address: str, **options: Any) -> FakeRedis:
    """A client of a simulated Redis."""
    return FakeRedis(server=_fake_servers.setdefault(address, FakeServer()), **options)


def close(store: Store | ClaimStore) -> None:
    """Let go of everything, botocore's connections too, which live as long as the environment elsewhere."""
    client = getattr(store, "_client", None)
    made = getattr(client, "_client", None)
    if made is not None:
        made.close()
        return
    if hasattr(store, "close"):
        store.close()
    target = getattr(store, "target", None)
    if target is not None and target.client is not None:
        close_client(target.client)


def close_client(client: Redis | RedisCluster) -> None:
    """Close an application's client, a cluster's with its nodes' pools, which it leaves open itself."""
    if isinstance(client, RedisCluster):
        client.disconnect_connection_pools()
    client.close()


class RedisClaims:
    """Redis' claims, spoken to as the guard speaks to them: in the question, and in the settlement."""

    table = None

    def __init__(self, store: Store) -> None:
        self.store = store

    def claim(self, request: ClaimRequest) -> ClaimAnswer:
        answer = self.store.admit(_about(request, in_redis=True)).claim
        assert answer is not None
        return answer

    def recall(self, request: ClaimRequest) -> Completed | None:
        answer = self.store.admit(_about(request, in_redis=False)).claim
        return answer if isinstance(answer, Completed) else None

    def renew(self, request: ClaimRequest, points: bytes = b"") -> bool:
        return self.store.settle(Settlement(_SUBJECT, request, None, fenced=True, renews=True, points=points))

    def complete(self, request: ClaimRequest, record: bytes) -> bool:
        return self.store.settle(Settlement(_SUBJECT, request, record, fenced=True))

    def release(self, request: ClaimRequest) -> bool:
        return self.store.settle(Settlement(_SUBJECT, request, None, fenced=True))

    def close(self) -> None:
        """Let go of the client behind the store, too."""
        close(self.store)


_SUBJECT = "claims"


def _about(request: ClaimRequest, *, in_redis: bool) -> Question:
    return Question(_SUBJECT, claim=request._replace(in_redis=in_redis))


HELD_CLOCK_KEY = "held-clock"

# The script's own `redis` is looked up before the server's, so TIME can be answered from a key.
_HELD_TIME = f"""
local server = redis
local redis = {{ call = function(name, ...)
  if name ~= 'TIME' then return server.call(name, ...) end
  local us = tonumber(server.call('GET', '{HELD_CLOCK_KEY}'))
  return {{ math.floor(us / 1000000), us % 1000000 }}
end }}
"""


def with_held_time(script: Script) -> Script:
    """The same script, reading the time from a key; expiry stays the server's own."""
    source = _HELD_TIME + script.source
    return Script(source, redis_module.sha1(source.encode(), usedforsecurity=False).hexdigest())


LUA = Path(redis_module.__file__).parent / "lua"
