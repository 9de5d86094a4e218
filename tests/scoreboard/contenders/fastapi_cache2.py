"""fastapi-cache2: its decorator on a route, as its README has it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from tests.scoreboard.contender import Contender
from tests.scoreboard.origin import Origin
from tests.scoreboard.place import Place

if TYPE_CHECKING:
    from fastapi import FastAPI


def application(place: Place) -> "FastAPI":
    """The Redis backend, set up in the application's lifespan."""
    from fastapi import FastAPI, Request
    from fastapi_cache import FastAPICache
    from fastapi_cache.backends.redis import RedisBackend
    from fastapi_cache.decorator import cache
    from redis import asyncio as aioredis

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        FastAPICache.init(RedisBackend(aioredis.from_url(place.redis_url)), prefix="fastapi-cache")
        yield

    app, origin = FastAPI(lifespan=lifespan), Origin(place.folder, place.origin_s)

    @app.get("/things/{name}")
    @cache(expire=place.ttl_s)
    async def thing(name: str, request: Request) -> dict[str, Any]:
        return await origin.run(name) | {"for": request.headers.get("authorization")}

    return app


ROWS = (
    Contender(
        name="fastapi-cache2",
        distribution="fastapi-cache2",
        documentation="https://github.com/long2ice/fastapi-cache#readme",
        families=("cache",),
        app=application,
        group="fastapi-cache2",
    ),
)
