"""Every store there is, as one parameter; and those whose clock can be held still, as another."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest
import redis as driver

import tests.harness.redis_server as harness
import tidegate.stores.redis_scripts as redis_module
from tests.contract.places import HELD_CLOCK_KEY, Place, close, with_held_time
from tests.harness.redis_server import RedisServer
from tidegate.stores import redis_cache
from tidegate.stores.base import ClaimStore, Store
from tidegate.stores.redis_scripts import Script
from tidegate.testing import FakeClock

# Valkey is tested beside Redis where both are there; where it is alone, it is what `redis` means.
VALKEY = shutil.which("valkey-server") if shutil.which("redis-server") else None
NODES = ["redis", *(["valkey"] if VALKEY else [])]
CLOCKED = ["memory", *NODES, "dynamodb"]
# Three masters where only answers are looked at; one node with every slot where keys are, too.
STORES = [*CLOCKED, "redis-sharded"]
EVERY = [*STORES, "redis-cluster"]


class HeldServerTime(FakeClock):
    """A clock that Redis' scripts read, too."""

    def __init__(self, client: driver.Redis) -> None:
        super().__init__()
        self._client = client
        self._client.set(HELD_CLOCK_KEY, self.wall_us())

    def advance(self, seconds: float) -> None:
        super().advance(seconds)
        self._client.set(HELD_CLOCK_KEY, self.wall_us())

    def age_keys(self, milliseconds: int) -> None:
        """Let the server's own expiry come nearer by as much."""
        for key in self._client.scan_iter("tidegate:*"):
            self._client.pexpire(key, max(0, self._client.pttl(key) - milliseconds))


@dataclass
class Rig:
    """A store under test, opened; what it opens is closed with the test."""

    place: Place
    clock: FakeClock | None
    closing: ExitStack
    store: Store = field(init=False)
    claims: ClaimStore = field(init=False)

    def __post_init__(self) -> None:
        self.store = self.another()
        self.claims = self.another_claims()

    def another(self) -> Store:
        """Another environment's store at the same place; of memory there is only the one."""
        if self.place.kind == "memory" and hasattr(self, "store"):
            return self.store
        store = self.place.open(self.clock)
        self.closing.callback(close, store)
        return store

    def another_claims(self) -> ClaimStore:
        if self.place.kind == "memory" and hasattr(self, "claims"):
            return self.claims
        claims = self.place.open_claims(self.clock)
        self.closing.callback(close, claims)
        return claims

    def advance_us(self, microseconds: int) -> None:
        assert self.clock is not None
        self.clock.advance(microseconds / 1_000_000)

    def pass_ms(self, milliseconds: int) -> None:
        """Let time pass for the expiry of keys, too."""
        self.advance_us(milliseconds * 1000)
        if isinstance(self.clock, HeldServerTime):
            self.clock.age_keys(milliseconds)


@pytest.fixture(scope="session")
def _cluster() -> Iterator[RedisServer]:
    with RedisServer(cluster=True) as server:
        yield server


@pytest.fixture
def redis_cluster(_cluster: RedisServer) -> RedisServer:
    """A cluster of one node with every slot, healed and empty."""
    _cluster.heal()
    if "cluster_state:ok" not in str(_cluster.command("CLUSTER", "INFO")):
        _cluster.take_slots()
    return _cluster


@pytest.fixture(scope="session")
def _valkey() -> Iterator[RedisServer]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(harness, "redis_binary", lambda: VALKEY)
        server = RedisServer()
    with server:
        yield server


@pytest.fixture
def valkey_server(_valkey: RedisServer) -> RedisServer:
    _valkey.heal()
    return _valkey


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Place:
    """The store that the test's parameter names, running and empty."""
    kind = request.param
    if kind == "memory":
        return Place(kind)
    if kind == "dynamodb":
        return Place(kind, request.getfixturevalue("dynamo").endpoint_url, request.getfixturevalue("library_table"))
    fixtures = {"redis": "redis_server", "valkey": "valkey_server", "redis-sharded": "sharded_cluster"}
    return Place(kind, request.getfixturevalue(fixtures.get(kind, "redis_cluster")).url)


@pytest.fixture
def rig(place: Place) -> Iterator[Rig]:
    """A store at that place, on the real clock."""
    with ExitStack() as closing:
        yield Rig(place, None, closing)


@pytest.fixture
def clocked(place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    """A store at that place, under a clock that stands still; on Redis the scripts' TIME stands still."""
    with ExitStack() as closing:
        clock = FakeClock()
        if place.in_redis:
            for maker in ("admit_script", "correct_script"):
                monkeypatch.setattr(redis_module, maker, _holding_time(getattr(redis_module, maker)))
            for script in ("HEARTBEAT", "RENEW"):
                monkeypatch.setattr(redis_module, script, with_held_time(getattr(redis_module, script)))
            for script in ("SETTLE_COPY", "VOID"):
                monkeypatch.setattr(redis_cache, script, with_held_time(getattr(redis_cache, script)))
            clock = HeldServerTime(closing.enter_context(driver.Redis.from_url(place.address)))
        yield Rig(place, clock, closing)


def _holding_time(make: Callable[..., Script]) -> Callable[..., Script]:
    return lambda *kinds, **parts: with_held_time(make(*kinds, **parts))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run on every store, or those a module names in RUNS_ON; under `clocked`, on those that can be clocked."""
    if "place" in metafunc.fixturenames:
        among = getattr(metafunc.module, "RUNS_ON", STORES)
        able = CLOCKED if "clocked" in metafunc.fixturenames else EVERY
        metafunc.parametrize("place", [kind for kind in EVERY if kind in among and kind in able], indirect=True)


@pytest.fixture
def new_subject() -> Callable[[], str]:
    """Names that nobody has charged."""
    return lambda: uuid.uuid4().hex[:12]
