"""The documented examples of fastapi-cache2, cashews and fastapi-redis-sdk's cache that concern an endpoint."""

from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

import anyio
from fastapi import FastAPI, Request, Response
from fastapi.testclient import TestClient

from tests.docs.migrating.documented import Documented
from tidegate import Cache, Settings, TokenBucket, policy, protect


class Counted:
    """An application with one cached route, and how often its handler ran."""

    def __init__(self, settings: Settings, cache: Cache | None, *, slow_s: float = 0.0, coalesce: bool = False) -> None:
        self.app = FastAPI()
        self.gate = protect(self.app, settings=settings)
        self.runs = 0
        self.fails = False

        @self.app.get("/things/{name}")
        @policy(cache=cache, coalesce=coalesce)
        async def thing(name: str) -> dict[str, int]:
            self.runs += 1
            if self.fails:
                raise RuntimeError("the source is away")
            await anyio.sleep(slow_s)
            return {"run": self.runs}

        @self.app.put("/prices/{name}")
        async def change(name: str) -> bool:
            return await self.gate.invalidate(f"thing:{name}")

    def asked(self, *paths: str) -> list[int]:
        with TestClient(self.app, raise_server_exceptions=False) as client:
            return [client.get(path).json()["run"] for path in paths]


def for_a_minute(settings: Settings) -> None:
    assert Counted(settings, Cache("60s", shared=True)).asked("/things/a", "/things/a", "/things/b") == [1, 1, 2]


def by_arguments(settings: Settings) -> None:
    counted = Counted(settings, Cache("60s", shared=True, query=("q",)))
    assert counted.asked("/things/a?q=1", "/things/a?q=1&z=2", "/things/a?q=2") == [1, 1, 2]


def events(settings: Settings) -> None:
    counted, seen = Counted(settings, Cache("60s", shared=True)), []

    @counted.app.middleware("http")
    async def told(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await go_on(request)
        seen.append(";hit" in response.headers["cache-status"])
        return response

    counted.asked("/things/a", "/things/a")
    assert seen == [False, True]


def conditional(settings: Settings) -> None:
    counted = Counted(settings, Cache("60s", shared=True))
    with TestClient(counted.app) as client:
        first = client.get("/things/a")
        again = client.get("/things/a", headers={"if-none-match": first.headers["etag"]})
    assert "max-age" in first.headers["cache-control"]
    assert again.status_code == 304


def stands_in(settings: Settings) -> None:
    counted = Counted(settings, Cache("1ms", stale_if_error="2h", shared=True))
    with TestClient(counted.app, raise_server_exceptions=False) as client:
        assert client.get("/things/a").json() == {"run": 1}
        counted.fails = True
        answers = [client.get("/things/a") for _ in range(3)]
    assert [answer.json() for answer in answers] == [{"run": 1}] * 3


def renewed_early(settings: Settings) -> None:
    assert Counted(settings, Cache("7m", stale="3m", shared=True)).asked("/things/a", "/things/a") == [1, 1]


def one_at_a_time(settings: Settings) -> None:
    counted = Counted(settings, None, slow_s=0.3, coalesce=True)
    with TestClient(counted.app) as client, ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: client.get("/things/a"), range(4)))
    assert counted.runs < 4


def invalidated(settings: Settings) -> None:
    counted = Counted(settings, Cache("60s", shared=True, tags=("thing:{name}",)))
    assert counted.asked("/things/a", "/things/a") == [1, 1]
    with TestClient(counted.app) as client:
        assert client.put("/prices/a").status_code == 200
    assert counted.asked("/things/a") == [2]


def limited(settings: Settings) -> None:
    app = FastAPI()
    protect(app, settings=settings)

    @app.get("/")
    @policy(limits=[TokenBucket("10/min")])
    async def get() -> bool:
        return True

    with TestClient(app) as client:
        assert [client.get("/").status_code for _ in range(11)] == [200] * 10 + [429]


CACHES = [
    Documented(peer="fastapi-cache2", shows="quick start", rewritten=for_a_minute),
    Documented(peer="fastapi-cache2", shows="a custom coder", rewritten=for_a_minute),
    Documented(peer="fastapi-cache2", shows="a custom key builder", rewritten=by_arguments),
    Documented(peer="fastapi-cache2", shows="events of hits and misses", rewritten=events),
    Documented(peer="fastapi-cache2", shows="ETag and Cache-Control", rewritten=conditional),
    Documented(peer="cashews", shows="simple cache", rewritten=for_a_minute),
    Documented(peer="cashews", shows="failover", rewritten=stands_in),
    Documented(peer="cashews", shows="early", rewritten=renewed_early),
    Documented(peer="cashews", shows="soft", rewritten=stands_in),
    Documented(peer="cashews", shows="locked", rewritten=one_at_a_time),
    Documented(peer="cashews", shows="rate limit", rewritten=limited),
    Documented(peer="cashews", shows="invalidation by tags", rewritten=invalidated),
    Documented(peer="cashews", shows="a key template", rewritten=by_arguments),
    Documented(peer="cashews", shows="hit: a copy for so many calls", instead="a copy ends by time, never by its hits"),
    Documented(
        peer="cashews",
        shows="circuit breaker around a function",
        instead="`tidegate.dependency` bounds calls to a dependency; no decorator opens by a rate of errors",
    ),
    Documented(peer="fastapi-redis-sdk", shows="cache", rewritten=for_a_minute),
    Documented(peer="fastapi-redis-sdk", shows="cache_evict", rewritten=invalidated),
]
