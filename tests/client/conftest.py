"""A server that answers by the script, and the two clients in front of it, whose time is the test's."""

import asyncio
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import httpx
import pytest

from tests.client.scripted_server import ScriptedServer
from tests.client.simulated_faces import SimulatedClient
from tests.client.simulated_network import SimulatedServer, SimulatedTime
from tidegate.client import AsyncRetryingTransport, Conduct, Hosts, RetryingTransport
from tidegate.testing import FakeClock


class Timeline:
    """A clock, and sleeps that move it; nothing waits."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.naps: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.clock.advance(seconds)

    async def asleep(self, seconds: float) -> None:
        self.sleep(seconds)


class SyncFace:
    """A `Client`, as a test calls it."""

    def __init__(self, hosts: Hosts, timeline: Timeline, **options: Any) -> None:
        transport = RetryingTransport(hosts=hosts, sleep=timeline.sleep)
        self._client = httpx.Client(transport=transport, **options)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self._client.request(method, path, **options)

    def close(self) -> None:
        self._client.close()


class AsyncFace:
    """An `AsyncClient`, as a test calls it."""

    def __init__(self, hosts: Hosts, timeline: Timeline, **options: Any) -> None:
        transport = AsyncRetryingTransport(hosts=hosts, sleep=timeline.asleep)
        self._client = httpx.AsyncClient(transport=transport, **options)
        self._loop = asyncio.new_event_loop()

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self._loop.run_until_complete(self._client.request(method, path, **options))

    def close(self) -> None:
        self._loop.run_until_complete(self._client.aclose())
        self._loop.close()


Connect = Callable[..., SyncFace | AsyncFace]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as started:
        yield started


@pytest.fixture
def timeline() -> Timeline:
    return Timeline()


@pytest.fixture(params=[SyncFace, AsyncFace])
def connect(request: pytest.FixtureRequest, server: ScriptedServer, timeline: Timeline) -> Iterator[Connect]:
    """`connect(conduct's options)`: a client of the scripted server; each test is run with both transports."""
    opened: list[SyncFace | AsyncFace] = []

    def make(hosts: Hosts | None = None, base_url: str | None = None, **options: Any) -> SyncFace | AsyncFace:
        known = hosts or Hosts(Conduct(**options), clock=timeline.clock, random=Random(7))
        opened.append(request.param(known, timeline, base_url=base_url or server.url, timeout=30))
        return opened[-1]

    yield make
    for face in opened:
        face.close()


@pytest.fixture
def simulated() -> SimulatedServer:
    """A server on a simulated network."""
    return SimulatedServer(SimulatedTime())


Simulate = Callable[..., SimulatedClient]


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def simulate(request: pytest.FixtureRequest, simulated: SimulatedServer) -> Iterator[Simulate]:
    """`simulate(options)`: a client of the simulated server; each test is run with both clients."""
    opened: list[SimulatedClient] = []

    def make(**options: Any) -> SimulatedClient:
        opened.append(SimulatedClient(simulated, is_async=request.param, **options))
        return opened[-1]

    yield make
    for client in opened:
        assert client.lost() == []
        client.close()
    assert not simulated.open
