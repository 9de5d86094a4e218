"""Tidegate, on a server: with Redis and DynamoDB as it is deployed, and with Redis alone as the peers have it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from tests.scoreboard.contender import Contender
from tests.scoreboard.origin import Origin
from tests.scoreboard.place import Place

if TYPE_CHECKING:
    from fastapi import FastAPI


_DOCUMENTATION = "docs/applications.md"


def with_both(place: Place) -> "FastAPI":
    """Redis first, DynamoDB behind it; claims in DynamoDB."""
    from tidegate import Settings

    return _application(place, Settings(redis_url=place.redis_url, table=place.table))


def with_redis(place: Place) -> "FastAPI":
    """Redis alone; claims in it."""
    from tidegate import Settings

    return _application(place, Settings(redis_url=place.redis_url))


def _application(place: Place, settings: Any) -> "FastAPI":
    from fastapi import FastAPI, Request

    from tidegate import Cache, SlidingWindow, TokenBucket, policy, protect

    app, origin = FastAPI(title="Scoreboard"), Origin(place.folder, place.origin_s)
    protect(app, settings=settings)
    rate = f"{place.limit.count}/{place.limit.seconds}s"
    cost = _asked_cost if place.limit.costs else 1
    if place.limit.exact:
        limit: Any = SlidingWindow(rate, cost=cost)
    else:
        limit = TokenBucket(rate, burst=place.limit.burst or place.limit.count, cost=cost)

    @app.get("/limited")
    @policy(limits=[limit])
    async def limited() -> dict[str, bool]:
        return {"ok": True}

    @app.post("/orders", status_code=201)
    @policy(idempotent=True)
    async def order(order: dict[str, str]) -> dict[str, Any]:
        return await origin.run(order["item"])

    @app.get("/things/{name}")
    @policy(cache=Cache(f"{place.ttl_s}s", stale="1h", shared=True))
    async def thing(name: str, request: Request) -> dict[str, Any]:
        return await origin.run(name) | {"for": request.headers.get("authorization")}

    return app


def _asked_cost(scope: Mapping[str, Any]) -> int:
    return int(parse_qs(scope["query_string"].decode()).get("cost", ["1"])[0])


ROWS = (
    Contender(
        name="Tidegate",
        distribution="tidegate",
        documentation=_DOCUMENTATION,
        families=("limits", "idempotency", "cache"),
        app=with_both,
        group=None,
        claims_in="dynamodb",
    ),
    Contender(
        name="Tidegate, Redis alone",
        distribution="tidegate",
        documentation=_DOCUMENTATION,
        families=("limits", "idempotency"),
        app=with_redis,
        group=None,
    ),
)
