"""fastapi-limiter: its dependency, over pyrate-limiter's bucket in Redis."""

from typing import TYPE_CHECKING

from tests.scoreboard.contender import Contender
from tests.scoreboard.contenders.pyrate_limiter import limiter
from tests.scoreboard.place import NotOfferedError, Place

if TYPE_CHECKING:
    from fastapi import FastAPI


async def application(place: Place) -> "FastAPI":
    """One `RateLimiter`, for which the caller is the default, address and path."""
    from fastapi import Depends, FastAPI
    from fastapi_limiter.depends import RateLimiter

    if place.limit.costs:
        raise NotOfferedError("no costs")
    app = FastAPI()

    @app.get("/limited", dependencies=[Depends(RateLimiter(limiter=await limiter(place)))])
    async def limited() -> dict[str, bool]:
        return {"ok": True}

    return app


ROWS = (
    Contender(
        name="fastapi-limiter",
        distribution="fastapi-limiter",
        documentation="https://github.com/long2ice/fastapi-limiter#readme",
        families=("limits",),
        app=application,
        group="redis-8",
    ),
)
