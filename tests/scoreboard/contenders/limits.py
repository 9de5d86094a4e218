"""limits: its moving window, as its quickstart has it, in a dependency of FastAPI; sync and async."""

from typing import TYPE_CHECKING

from tests.scoreboard.contender import Contender
from tests.scoreboard.place import NotOfferedError, Place

if TYPE_CHECKING:
    from fastapi import FastAPI


_QUICKSTART = "https://limits.readthedocs.io/en/stable/quickstart.html"


def in_threads(place: Place) -> "FastAPI":
    """The sync strategy and storage, which a dependency that isn't async runs in FastAPI's threads."""
    from fastapi import Depends, FastAPI, HTTPException, Request
    from limits import RateLimitItemPerSecond, storage, strategies

    _no_burst(place)
    app = FastAPI()
    limiter = strategies.MovingWindowRateLimiter(storage.storage_from_string(place.redis_url))
    item = RateLimitItemPerSecond(place.limit.count, place.limit.seconds)

    def limit(request: Request, cost: int = 1) -> None:
        assert request.client
        if not limiter.hit(item, request.client.host, cost=cost):
            raise HTTPException(429)

    @app.get("/limited", dependencies=[Depends(limit)])
    async def limited() -> dict[str, bool]:
        return {"ok": True}

    return app


def on_the_loop(place: Place) -> "FastAPI":
    """The asyncio strategy and storage, by its default driver (coredis)."""
    from fastapi import Depends, FastAPI, HTTPException, Request
    from limits import RateLimitItemPerSecond
    from limits.aio import strategies
    from limits.storage import storage_from_string

    _no_burst(place)
    app = FastAPI()
    limiter = strategies.MovingWindowRateLimiter(storage_from_string(f"async+{place.redis_url}"))
    item = RateLimitItemPerSecond(place.limit.count, place.limit.seconds)

    async def limit(request: Request, cost: int = 1) -> None:
        assert request.client
        if not await limiter.hit(item, request.client.host, cost=cost):
            raise HTTPException(429)

    @app.get("/limited", dependencies=[Depends(limit)])
    async def limited() -> dict[str, bool]:
        return {"ok": True}

    return app


def _no_burst(place: Place) -> None:
    if place.limit.burst is not None:
        raise NotOfferedError("no burst apart from the rate")


ROWS = (
    Contender(
        name="limits, sync",
        distribution="limits",
        documentation=_QUICKSTART,
        families=("limits",),
        app=in_threads,
        group="limits",
    ),
    Contender(
        name="limits, async",
        distribution="limits",
        documentation="https://limits.readthedocs.io/en/stable/async.html",
        families=("limits",),
        app=on_the_loop,
        group="limits",
    ),
)
