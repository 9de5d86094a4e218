"""Every store there is, as one parameter; and those whose clock can be held still, as another."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest
import redis as driver

import tests.harness.redis_server as harness
import tidegate.stores.redis.scripts as redis_module
from tests.contract.hostile import Open
from tests.contract.places import HELD_CLOCK_KEY, Place, close, fake_redis, with_held_time
from tests.contract.queue_rig import Rig as QueueRig
from tests.harness.dynamodb import DynamoServer
from tests.harness.hostile_redis import Answers, HostileRedis
from tests.harness.redis_server import RedisServer
from tests.harness.serverless_redis import ServerlessRedis
from tidegate.clock import SystemClock
from tidegate.idempotency.claim_store import ClaimStore
from tidegate.outcomes.tally import Source, Tally
from tidegate.stores.base import Store
from tidegate.stores.redis import cache as redis_cache
from tidegate.stores.redis.scripts import Script
from tidegate.testing import FakeClock

# Valkey is tested beside Redis where both are there; where it is alone, it is what `redis` means.
VALKEY = shutil.which("valkey-server") if shutil.which("redis-server") else None
NODES = ["redis", *(["valkey"] if VALKEY else [])]
CLIENTS = ["redis-py", "fakeredis"]
CLOCKED = ["memory", *NODES, *CLIENTS, "dynamodb"]
# Three masters where only answers are looked at; one node with every slot where keys are, too.
STORES = [*CLOCKED, "redis-on-loop", "redis-sharded", "redis-py-cluster"]
EVERY = [*STORES, "redis-cluster"]
# ElastiCache's, which the modules that name it run on; TIDEGATE_TEST_STORES=redis-serverless runs every module on it
# that any Redis of our own driver is for.
SERVERLESS = "redis-serverless"
_ALIKE = {"redis", "redis-cluster", "redis-sharded"}


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


@pytest.fixture(scope="session")
def _serverless() -> Iterator[ServerlessRedis]:
    with ServerlessRedis(readable=(HELD_CLOCK_KEY,)) as running:
        yield running


@pytest.fixture
def serverless(_serverless: ServerlessRedis) -> Iterator[ServerlessRedis]:
    """ElastiCache Serverless, empty; whatever the test sent, nothing of it was refused."""
    _serverless.heal()
    yield _serverless
    assert _serverless.denied() == []


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Place:
    """The store that the test's parameter names, running and empty."""
    kind = request.param
    if kind == "memory":
        return Place(kind)
    if kind == "dynamodb":
        return Place(kind, request.getfixturevalue("dynamo").endpoint_url, request.getfixturevalue("library_table"))
    if kind == "fakeredis":
        return Place(kind, uuid.uuid4().hex)
    if kind == SERVERLESS:
        serverless = request.getfixturevalue("serverless")
        return Place(kind, serverless.url, behind=serverless.server.url)
    fixtures = {
        "redis": "redis_server",
        "redis-py": "redis_server",
        "redis-py-cluster": "sharded_cluster",
        "redis-on-loop": "redis_server",
        "valkey": "valkey_server",
        "redis-sharded": "sharded_cluster",
    }
    return Place(kind, request.getfixturevalue(fixtures.get(kind, "redis_cluster")).url)


@pytest.fixture
def place_db(place: Place) -> Iterator[driver.Redis]:
    """A plain redis-py client of the place, answering bytes: to look at what is stored."""
    with _plain_client(place) as client:
        yield client


def _plain_client(place: Place) -> driver.Redis:
    if place.kind == "fakeredis":
        return fake_redis(place.address)
    return driver.Redis.from_url(place.own_url)


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
            clock = HeldServerTime(closing.enter_context(_plain_client(place)))
        yield Rig(place, clock, closing)


def _holding_time(make: Callable[..., Script]) -> Callable[..., Script]:
    return lambda *kinds, **parts: with_held_time(make(*kinds, **parts))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run on every store, or those a module names in RUNS_ON; under `clocked`, on those that can be clocked."""
    if "place" in metafunc.fixturenames:
        among = set(getattr(metafunc.module, "RUNS_ON", STORES))
        able = set(CLOCKED if "clocked" in metafunc.fixturenames else EVERY)
        kinds = [kind for kind in EVERY if kind in among & able] + [SERVERLESS] * (SERVERLESS in among)
        if only := os.environ.get("TIDEGATE_TEST_STORES"):
            able_here = among & able & _ALIKE and SERVERLESS not in getattr(metafunc.module, "NOT_ON", [])
            reach = {*kinds, *([SERVERLESS] if able_here else [])}
            kinds = [kind for kind in only.split(",") if kind in reach]
        metafunc.parametrize("place", kinds, indirect=True)


@pytest.fixture
def new_subject() -> Callable[[], str]:
    """Names that nobody has charged."""
    return lambda: uuid.uuid4().hex[:12]


@pytest.fixture
def key(new_subject: Callable[[], str]) -> str:
    """A key that nobody has claimed."""
    return new_subject()


@pytest.fixture
def claims(clocked: Rig) -> ClaimStore:
    """The claim store of `clocked`."""
    return clocked.claims


@pytest.fixture
def tally(new_subject: Callable[[], str]) -> Tally:
    """Outcomes of a function that nobody has counted."""
    return Tally(Source("default", new_subject(), "7"), SystemClock())


@pytest.fixture
def queue_rig(dynamo: DynamoServer, library_table: str) -> QueueRig:
    """The queue of accepted requests, in a table of the test's own."""
    return QueueRig(dynamo, library_table)


@pytest.fixture
def hostile(closing: ExitStack) -> Open:
    """`hostile(answers)` begins a server that answers by them."""

    def begin(answers: Answers, greeting: bytes = b"") -> HostileRedis:
        return closing.enter_context(HostileRedis(answers, greeting))

    return begin
