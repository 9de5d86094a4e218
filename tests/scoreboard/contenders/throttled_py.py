"""throttled-py: its integration with FastAPI."""

from typing import TYPE_CHECKING

from tests.scoreboard.contender import Contender
from tests.scoreboard.place import NotOfferedError, Place

if TYPE_CHECKING:
    from fastapi import FastAPI


def application(place: Place) -> "FastAPI":
    """Its limiter with the default algorithm (a token bucket), or its sliding window where no window may hold more."""
    import datetime as dt

    from fastapi import FastAPI, Request
    from throttled import RateLimiterType, rate_limiter
    from throttled.asyncio import store
    from throttled.asyncio.contrib.fastapi import (
        Limiter,
        RateLimitExceededError,
        RateLimitMiddleware,
        get_remote_address,
        rate_limit_exceeded_handler,
    )

    if place.limit.costs:
        raise NotOfferedError("no costs in its integration with FastAPI")
    app = FastAPI()
    asked = place.limit
    period = dt.timedelta(seconds=asked.seconds)
    limiter = Limiter(
        rate_limiter.per_duration(period, asked.count, burst=asked.burst or asked.count),
        store=store.RedisStore(server=place.redis_url),
        using=(RateLimiterType.SLIDING_WINDOW if asked.exact else RateLimiterType.TOKEN_BUCKET).value,
        key_func=get_remote_address,
    )
    app.add_middleware(RateLimitMiddleware)
    app.add_exception_handler(RateLimitExceededError, rate_limit_exceeded_handler)

    @app.get("/limited")
    @limiter.limit()
    async def limited(request: Request) -> dict[str, bool]:
        return {"ok": True}

    return app


ROWS = (
    Contender(
        name="throttled-py",
        distribution="throttled-py",
        documentation="https://throttled-py.readthedocs.io/en/latest/contrib/fastapi.html",
        families=("limits",),
        app=application,
        group="limits",
    ),
)
