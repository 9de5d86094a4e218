"""fastapi-redis-sdk: its limits and its cache, each as a dependency."""

from typing import TYPE_CHECKING, Any

from tests.scoreboard.contender import Contender
from tests.scoreboard.origin import Origin
from tests.scoreboard.place import NotOfferedError, Place

if TYPE_CHECKING:
    from fastapi import FastAPI


def application(place: Place) -> "FastAPI":
    """Set up by its chain, with the IETF's fields on."""
    from fastapi import Depends, FastAPI, Request
    from redis_fastapi import FastAPIRedis, cache, get_settings, rate_limit

    if place.limit.burst is not None:
        raise NotOfferedError("no burst apart from the rate")
    if place.limit.exact:
        raise NotOfferedError("fixed windows alone")
    if place.limit.costs:
        raise NotOfferedError("a route's cost, not a request's")
    get_settings().url = place.redis_url
    app, origin = FastAPI(), Origin(place.folder, place.origin_s)
    FastAPIRedis(app).lifespan().caching().rate_limiting()
    limit = rate_limit(f"{place.limit.count}/{place.limit.seconds}seconds", ietf_headers=True)

    @app.get("/limited", dependencies=[Depends(limit)])
    async def limited() -> dict[str, bool]:
        return {"ok": True}

    @app.get("/things/{name}", dependencies=[Depends(cache(ttl=place.ttl_s))])
    async def thing(name: str, request: Request) -> dict[str, Any]:
        return await origin.run(name) | {"for": request.headers.get("authorization")}

    return app


ROWS = (
    Contender(
        name="fastapi-redis-sdk",
        distribution="fastapi-redis-sdk",
        documentation="https://redis.github.io/fastapi-redis-sdk/latest/getting-started/quick-start/",
        families=("limits", "cache"),
        app=application,
        group="redis-8",
    ),
)
