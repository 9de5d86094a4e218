"""The clients on a simulated network, sync and async called alike."""

import contextlib
from collections.abc import Iterator
from random import Random
from typing import Any

import httpx

from tests.client.simulated_network import SimulatedLoop, SimulatedServer, SimulatedTime, async_transport, transport
from tidegate.client import AsyncClient, Client, Conduct, Hosts

HOME = "http://192.0.2.1"
ELSEWHERE = "http://192.0.2.2"


class SimulatedClient:
    """`Client` in front of a simulated server; `AsyncClient` is called in the same way.

    Args:
        server: the server.
        is_async: which of the two.
        seed: of what is drawn.
        options: the client's, and those of `Conduct`.
    """

    def __init__(self, server: SimulatedServer, *, is_async: bool, seed: int = 7, **options: Any) -> None:
        self.time: SimulatedTime = server.time
        self.is_async = is_async
        conduct = Conduct(**{name: options.pop(name) for name in list(options) if name in Conduct.__slots__})
        limits = options.pop("limits", httpx.Limits())
        self.inner = async_transport(server, limits=limits) if is_async else transport(server, limits=limits)
        self.hosts = Hosts(conduct, clock=self.time, random=Random(seed))
        options = {"base_url": HOME, "hosts": self.hosts, "timeout": 30, **options}
        self._loop = SimulatedLoop(self.time)
        self.client: Any
        if is_async:
            self.client = AsyncClient(transport=self.inner, **options)
        else:
            self.client = Client(transport=self.inner, **options)
            retrying = self.client._transport
            retrying._sleep = self.time.advance

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        answered = self.client.request(method, path, **options)
        return self.run(answered) if self.is_async else answered

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        answered = self.client.send(request, **options)
        return self.run(answered) if self.is_async else answered

    def stream(self, method: str, path: str, **options: Any) -> tuple[int, bytes]:
        """Stream an answer; return its status and body."""
        if self.is_async:
            return self.run(self._astream(method, path, options))
        with self.client.stream(method, path, **options) as answer:
            return answer.status_code, b"".join(answer.iter_bytes())

    async def _astream(self, method: str, path: str, options: dict[str, Any]) -> tuple[int, bytes]:
        async with self.client.stream(method, path, **options) as answer:
            return answer.status_code, b"".join([part async for part in answer.aiter_bytes()])

    def run(self, awaitable: Any) -> Any:
        return self._loop.run_until_complete(awaitable)

    def lost(self) -> list[str]:
        """Return what is neither idle nor closed, between two calls."""
        pool = self.inner._pool
        return [repr(each) for each in pool.connections if not (each.is_idle() or each.is_closed())] + list(
            pool._requests
        )

    def close(self) -> None:
        if self.is_async:
            self.run(self.client.aclose())
            self.run(self._loop.shutdown_asyncgens())
        else:
            self.client.close()
        self._loop.close()


@contextlib.contextmanager
def took_at_most(time: SimulatedTime, seconds: float) -> Iterator[None]:
    """Fail if what is within takes longer, by the simulated clock."""
    began_s = time.now_s
    yield
    assert time.now_s - began_s <= seconds
