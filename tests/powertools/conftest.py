"""Powertools' decorators on the layer, with real stores; each layer is an environment of its own."""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.harness.dynamodb import DynamoServer
from tests.harness.lambda_events import LambdaContext
from tests.harness.redis_server import RedisServer
from tests.harness.tcp_proxy import TcpProxy
from tidegate import Settings
from tidegate.clock import SystemClock
from tidegate.powertools import TidegatePersistenceLayer
from tidegate.stores.aws import DynamoClient, DynamoTimeouts
from tidegate.stores.dynamodb_claims import DynamoClaims
from tidegate.stores.memory_claims import MemoryClaims
from tidegate.testing import FakeClock

# Far above what a loaded machine needs: only the tests of outages are about time.
AMPLE_MS, AMPLE_S = 3000, 20.0

NewLayer = Callable[[], TidegatePersistenceLayer]


@dataclass(frozen=True)
class Stores:
    """Redis and DynamoDB, each behind a proxy that counts and fails."""

    redis: RedisServer
    to_redis: TcpProxy
    dynamo: DynamoServer
    to_dynamo: TcpProxy
    table: str

    def settings(self, **changes: Any) -> Settings:
        ours: dict[str, Any] = {
            "redis_url": self.to_redis.url(self.redis.url),
            "table": self.table,
            "decision_budget_ms": AMPLE_MS,
        }
        return Settings(**(ours | changes))

    def reset_counts(self) -> None:
        self.to_redis.reset_counts()
        self.to_dynamo.reset_counts()

    @property
    def claim(self) -> dict[str, Any]:
        """The one claim in the table."""
        [item] = [item for item in self.dynamo.items(self.table) if item["pk"]["S"].startswith("claim#")]
        return item


@dataclass
class Till:
    """A handler with an effect: what it took, in order."""

    taken: list[Any] = field(default_factory=list)

    def __call__(self, event: Any, context: Any) -> dict[str, Any]:
        self.taken.append(event)
        return {"receipt": len(self.taken), "event": event}


@pytest.fixture
def till() -> Till:
    return Till()


@pytest.fixture
def context() -> LambdaContext:
    return LambdaContext()


@pytest.fixture
def stores(
    redis_server: RedisServer, dynamo: DynamoServer, library_table: str, tcp_proxy: Callable[[int], TcpProxy]
) -> Stores:
    """What boto is told leads through the proxy, too."""
    made = Stores(redis_server, tcp_proxy(redis_server.port), dynamo, tcp_proxy(dynamo.port), library_table)
    os.environ["AWS_ENDPOINT_URL"] = f"http://{made.to_dynamo.host}:{made.to_dynamo.port}"
    return made


@pytest.fixture
def layer_on(stores: Stores) -> Iterator[Callable[..., TidegatePersistenceLayer]]:
    """`layer_on(table=…)`: a new environment's layer on the stores, with those settings changed."""
    with contextlib.ExitStack() as closing:

        def make(**changes: Any) -> TidegatePersistenceLayer:
            return closing.enter_context(contextlib.closing(TidegatePersistenceLayer(stores.settings(**changes))))

        yield make


@pytest.fixture(params=["redis and dynamodb", "dynamodb", "memory"])
def new_layer(request: pytest.FixtureRequest) -> NewLayer:
    """Another environment's layer on the same stores, at each call."""
    if request.param == "memory":
        claims = MemoryClaims(SystemClock())
        return lambda: TidegatePersistenceLayer(claims=claims)
    layer_on = request.getfixturevalue("layer_on")
    return layer_on if request.param == "redis and dynamodb" else lambda: layer_on(redis_url=None)


@pytest.fixture
def layer(new_layer: NewLayer) -> TidegatePersistenceLayer:
    return new_layer()


@pytest.fixture
def clock() -> FakeClock:
    """The claim store's clock in `clocked`; Powertools itself reads the machine's."""
    return FakeClock()


@pytest.fixture(params=["dynamodb", "memory"])
def clocked(request: pytest.FixtureRequest, clock: FakeClock) -> NewLayer:
    """As `new_layer`, on claims whose time stands still."""
    if request.param == "memory":
        held = MemoryClaims(clock)
        return lambda: TidegatePersistenceLayer(claims=held)
    endpoint_url = request.getfixturevalue("dynamo").endpoint_url
    client = DynamoClient(DynamoTimeouts(AMPLE_S, AMPLE_S), endpoint_url=endpoint_url)
    table = request.getfixturevalue("library_table")
    return lambda: TidegatePersistenceLayer(claims=DynamoClaims(client, table, clock))
