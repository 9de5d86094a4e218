"""One slow origin behind each cache, as its README has it; for processes of their own, so nothing heavy at import."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

ORIGIN_S = 0.05
PATH = "/things/hot"


@dataclass
class Cached:
    """An application whose one route is cached.

    Attributes:
        app: the ASGI application.
        computed: how often its origin was asked.
        close: lets go of connections.
        origin_s: what its origin takes.
    """

    app: Any
    close: Callable[[], Awaitable[None]]
    computed: int = 0
    origin_s: float = ORIGIN_S

    async def origin(self) -> dict[str, str]:
        """Take a while."""
        self.computed += 1
        await asyncio.sleep(self.origin_s)
        return {"name": "hot", "description": "x" * 400}


def tidegate(redis_url: str, ttl_s: int) -> Cached:
    """Ours: limits and cache in one question, stale while one computes."""
    from fastapi import FastAPI

    from tidegate import Cache, Settings, TokenBucket, policy, protect

    app = FastAPI()
    asked = Cache(f"{ttl_s}s", stale="1h", shared=True, wait="20s")
    settings = Settings(redis_url=redis_url, decision_budget_ms=9000)
    gate = protect(app, settings=settings)

    async def close() -> None:
        gate.close()

    made = Cached(app, close)

    @app.get(PATH)
    @policy(limits=[TokenBucket("100000/s", burst=100_000)], cache=asked)
    async def thing() -> dict[str, str]:
        return await made.origin()

    return made


def cashews_locked(redis_url: str, ttl_s: int) -> Cached:
    """cashews with `lock=True`: one computes, the others look again and again."""
    return _cashews(redis_url, lambda cache: cache(ttl=f"{ttl_s}s", key="thing", lock=True))


def cashews_early(redis_url: str, ttl_s: int) -> Cached:
    """cashews' `early`: computed anew in the background before it expires."""
    return _cashews(redis_url, lambda cache: cache.early(ttl=f"{2 * ttl_s}s", early_ttl=f"{ttl_s}s", key="thing"))


def _cashews(redis_url: str, decorated: Callable[[Any], Any]) -> Cached:
    from cashews import Cache
    from fastapi import FastAPI

    cache = Cache()
    cache.setup(redis_url)
    app = FastAPI()
    made = Cached(app, cache.close)

    @app.get(PATH)
    @decorated(cache)
    async def thing() -> dict[str, str]:
        return await made.origin()

    return made


CONTENDERS: dict[str, tuple[tuple[str, ...], Callable[[str, int], Cached]]] = {
    "Tidegate": ((), tidegate),
    "cashews, lock": (("cashews",), cashews_locked),
    "cashews, early": (("cashews",), cashews_early),
}
