"""Where a store is, in a form that other processes can be told; every store under test is opened here."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path

import tidegate.stores.redis_scripts as redis_module
from tidegate.clock import Clock, SystemClock
from tidegate.question import ClaimAnswer, ClaimRequest, Completed, Question, Settlement
from tidegate.stores.aws import DynamoClient, DynamoTimeouts, Listener
from tidegate.stores.base import ClaimStore, Store
from tidegate.stores.connection import RedisTarget
from tidegate.stores.dynamodb import DynamoStore
from tidegate.stores.dynamodb_claims import DynamoClaims
from tidegate.stores.memory import MemoryStore
from tidegate.stores.memory_claims import MemoryClaims
from tidegate.stores.redis import RedisStore
from tidegate.stores.redis_scripts import Script

# Far above what a loaded machine needs: only the tests of faults are about time.
AMPLE_S = 20.0


@dataclass(frozen=True)
class Place:
    """One store's address.

    `kind` is memory, redis, redis-cluster, redis-sharded, valkey or dynamodb;
    `timeout_s` bounds every step of a call.
    """

    kind: str
    address: str = ""
    table: str = ""
    timeout_s: float = AMPLE_S

    @property
    def name(self) -> str:
        """How the store calls itself."""
        return "redis" if self.in_redis else self.kind

    @property
    def in_redis(self) -> bool:
        return self.kind in {"redis", "redis-cluster", "redis-sharded", "valkey"}

    def open(self, clock: Clock | None = None) -> Store:
        """A new environment's store; of memory there is no other than a new one."""
        clock = clock or SystemClock()
        if self.kind == "memory":
            return MemoryStore(clock)
        if self.kind == "dynamodb":
            return DynamoStore(self.dynamo_client(), self.table, clock, self.timeout_s)
        target = RedisTarget(
            self.address, self.timeout_s, self.timeout_s, cluster=self.kind in {"redis-cluster", "redis-sharded"}
        )
        return RedisStore(target, "contract", uuid.uuid4().hex[:12], clock)

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


def close(store: Store | ClaimStore) -> None:
    """Let go of everything, botocore's connections too, which live as long as the environment elsewhere."""
    client = getattr(store, "_client", None)
    made = getattr(client, "_client", None)
    if made is not None:
        made.close()
    elif hasattr(store, "close"):
        store.close()


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
        self.store.close()


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
