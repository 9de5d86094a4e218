"""Transports that the application brings itself are wrapped once, entered, left and closed."""

import httpx
import pytest

from tests.client.simulated_faces import ELSEWHERE
from tidegate.client import AsyncClient, Client, Conduct, Hosts, RetryingTransport


def test_what_is_mounted_is_asked_in_the_same_way(simulate, simulated):
    asked = []

    def busy_at_first(request):
        asked.append(request)
        return httpx.Response(503 if len(asked) == 1 else 200)

    client = simulate(mounts={f"{ELSEWHERE}": httpx.MockTransport(busy_at_first), "all://192.0.2.9": None})
    mounted = client.client._mounts
    for each in mounted.values():
        if each is not None:
            each._sleep = client.client._transport._sleep
    assert client.request("GET", f"{ELSEWHERE}/a").extensions["attempts"] == 2
    assert "tidegate-timeout-ms" in asked[0].headers
    assert client.request("GET", "http://192.0.2.9/a").status_code == 200


class Entered(httpx.MockTransport):
    def __init__(self):
        super().__init__(lambda _: httpx.Response(200))
        self.seen = []

    def __enter__(self):
        self.seen.append("entered")
        return self

    def __exit__(self, *_):
        self.seen.append("left")

    async def __aenter__(self):
        return self.__enter__()

    async def __aexit__(self, *_):
        self.__exit__()


def test_a_transport_of_one_s_own_is_entered_and_left():
    inner, mounted = Entered(), Entered()
    with Client(transport=inner, mounts={"http://b.test": mounted}) as client:
        client.get("http://a.test")
    assert inner.seen == mounted.seen == ["entered", "left"]


@pytest.mark.anyio
async def test_an_async_transport_of_one_s_own_is_entered_and_left():
    inner = Entered()
    async with AsyncClient(transport=inner) as client:
        await client.get("http://a.test")
    assert inner.seen == ["entered", "left"]


def test_a_transport_that_retries_already_is_not_wrapped_again():
    asked = []

    def busy(request):
        asked.append(request)
        return httpx.Response(503)

    hosts = Hosts(Conduct())
    inner = RetryingTransport(transport=httpx.MockTransport(busy), hosts=hosts, sleep=lambda _: None)
    with Client(transport=inner, hosts=hosts) as client:
        client.get("http://a.test")
    assert len(asked) == 4


class Failing(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that fails as no transport of httpx's does, and knows whether it was closed."""

    def __init__(self):
        self.closed = 0

    def __iter__(self):
        yield b"x"
        raise KeyError("not httpx's")

    async def __aiter__(self):
        yield b"x"
        raise KeyError("not httpx's")

    def close(self):
        self.closed += 1

    async def aclose(self):
        self.closed += 1


@pytest.mark.parametrize("status", [200, 503])
def test_whatever_raises_the_answer_is_closed(simulate, status):
    body, client = Failing(), simulate()

    async def answer(_):
        return httpx.Response(status, stream=body)

    mock = httpx.MockTransport(answer if client.is_async else lambda _: httpx.Response(status, stream=body))
    client.client._transport._transport = mock
    with pytest.raises(KeyError):
        client.request("GET", "/a")
    assert body.closed
