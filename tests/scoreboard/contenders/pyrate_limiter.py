"""pyrate-limiter: its asyncio bucket in Redis, asked without blocking in a dependency of FastAPI."""

from typing import TYPE_CHECKING, Any

from tests.scoreboard.contender import Contender
from tests.scoreboard.place import Place

if TYPE_CHECKING:
    from fastapi import FastAPI


async def application(place: Place) -> "FastAPI":
    """One bucket, and a weight where a request says its cost."""
    from fastapi import Depends, FastAPI, HTTPException

    app, made = FastAPI(), await limiter(place)

    async def limit(cost: int = 1) -> None:
        if not await made.try_acquire_async("limited", weight=cost, blocking=False):
            raise HTTPException(429)

    @app.get("/limited", dependencies=[Depends(limit)])
    async def limited() -> dict[str, bool]:
        return {"ok": True}

    return app


async def limiter(place: Place) -> Any:
    """Its log of requests, the default; its token bucket if there is a burst."""
    from pyrate_limiter import Duration, Limiter, Rate, RedisBucket, RedisStateStore, StateBucket, TokenBucket
    from redis.asyncio import ConnectionPool, Redis

    client = Redis(connection_pool=ConnectionPool.from_url(place.redis_url))
    interval = Duration.SECOND * place.limit.seconds
    if place.limit.burst is not None:
        rates = [Rate(place.limit.count, interval, burst=place.limit.burst)]
        return Limiter(StateBucket(rates, algorithm=TokenBucket(), store=RedisStateStore(client, "limited")))
    return Limiter(await RedisBucket.init([Rate(place.limit.count, interval)], client, "limited"))


ROWS = (
    Contender(
        name="pyrate-limiter",
        distribution="pyrate-limiter",
        documentation="https://pyratelimiter.readthedocs.io",
        families=("limits",),
        app=application,
        group="redis-8",
    ),
)
