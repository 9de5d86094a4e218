"""aiocache: a function behind `cached_stampede`."""

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.scoreboard.contender import Contender
from tests.scoreboard.origin import Origin
from tests.scoreboard.place import NotOfferedError, Place

if TYPE_CHECKING:
    from fastapi import FastAPI


def application(place: Place) -> "FastAPI":
    """A function of the name, cached in Redis as JSON, and a route that calls it."""
    from aiocache import Cache, cached_stampede
    from aiocache.serializers import JsonSerializer
    from fastapi import FastAPI

    if place.per_caller:
        raise NotOfferedError("it caches functions; what makes a difference is the key's, which the developer writes")
    app, origin = FastAPI(), Origin(place.folder, place.origin_s)
    address = urlsplit(place.redis_url)

    @cached_stampede(
        ttl=place.ttl_s,
        cache=Cache.REDIS,
        endpoint=address.hostname,
        port=address.port,
        serializer=JsonSerializer(),
        namespace="things",
    )
    async def made(name: str) -> dict[str, Any]:
        return await origin.run(name)

    @app.get("/things/{name}")
    async def thing(name: str) -> Any:
        return await made(name)

    return app


ROWS = (
    Contender(
        name="aiocache",
        distribution="aiocache",
        documentation="https://aiocache.aio-libs.org/en/latest/decorators.html",
        families=("cache",),
        app=application,
        group="redis-8",
    ),
)
