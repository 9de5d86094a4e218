"""slowapi: limits by its decorator; with and without its fallback to the process's memory."""

from typing import TYPE_CHECKING

from tests.scoreboard.contender import Contender
from tests.scoreboard.place import NotOfferedError, Place

if TYPE_CHECKING:
    from fastapi import FastAPI


def plain(place: Place) -> "FastAPI":
    """As its examples have it, with Redis as the storage."""
    return _application(place, fallback=False)


def with_fallback(place: Place) -> "FastAPI":
    """With `in_memory_fallback_enabled`, which its reference has for a storage that is down."""
    return _application(place, fallback=True)


def _application(place: Place, *, fallback: bool) -> "FastAPI":
    from fastapi import FastAPI, Request, Response
    from slowapi import Limiter, _rate_limit_exceeded_handler
    from slowapi.errors import RateLimitExceeded
    from slowapi.util import get_remote_address

    if place.limit.burst is not None:
        raise NotOfferedError("no burst apart from the rate")
    app = FastAPI()
    limiter = Limiter(
        key_func=get_remote_address,
        storage_uri=place.redis_url,
        strategy="moving-window" if place.limit.exact else None,
        headers_enabled=True,
        in_memory_fallback_enabled=fallback,
    )
    app.state.limiter = limiter
    app.add_exception_handler(RateLimitExceeded, _rate_limit_exceeded_handler)

    def cost(request: Request) -> int:
        return int(request.query_params.get("cost", 1))

    @app.get("/limited")
    @limiter.limit(f"{place.limit.count}/{place.limit.seconds}seconds", cost=cost if place.limit.costs else 1)
    async def limited(request: Request, response: Response) -> dict[str, bool]:
        return {"ok": True}

    return app


ROWS = (
    Contender(
        name="slowapi",
        distribution="slowapi",
        documentation="https://slowapi.readthedocs.io/en/latest/examples/",
        families=("limits",),
        app=plain,
        group="limits",
    ),
    Contender(
        name="slowapi, in-memory fallback",
        distribution="slowapi",
        documentation="https://slowapi.readthedocs.io/en/latest/api/",
        families=("limits",),
        app=with_fallback,
        group="limits",
    ),
)
