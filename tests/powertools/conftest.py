"""Powertools' decorators on the layer, with real stores; each layer is an environment of its own."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.harness.lambda_events import LambdaContext
from tests.harness.patience import be_patient
from tests.harness.proxied_stores import ProxiedStores
from tidegate.clock import SystemClock
from tidegate.idempotency.dynamodb import DynamoClaims
from tidegate.idempotency.memory import MemoryClaims
from tidegate.powertools import TidegatePersistenceLayer
from tidegate.stores.dynamodb.client import DynamoClient, DynamoTimeouts
from tidegate.testing import FakeClock

# Far above what a loaded machine needs: only the tests of outages are about time.
AMPLE_S = 20.0

NewLayer = Callable[[], TidegatePersistenceLayer]


@dataclass
class Till:
    """A handler with an effect: what it took, in order."""

    taken: list[Any] = field(default_factory=list)

    def __call__(self, event: Any, context: Any) -> dict[str, Any]:
        self.taken.append(event)
        return {"receipt": len(self.taken), "event": event}


@pytest.fixture(autouse=True)
def _patience(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    be_patient(request, monkeypatch)


@pytest.fixture
def till() -> Till:
    return Till()


@pytest.fixture
def context() -> LambdaContext:
    return LambdaContext()


@pytest.fixture
def layer_on(stores: ProxiedStores) -> Iterator[Callable[..., TidegatePersistenceLayer]]:
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
