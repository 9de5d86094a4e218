"""fastapi-idempotency-key: its middleware with its Redis backend."""

from typing import TYPE_CHECKING, Any

from tests.scoreboard.contender import Contender
from tests.scoreboard.origin import Origin
from tests.scoreboard.place import Place

if TYPE_CHECKING:
    from fastapi import FastAPI


def application(place: Place) -> "FastAPI":
    """As its quick start has it; it has no lease for a run in progress but the response's lifetime."""
    from fastapi import FastAPI
    from fastapi_idempotency_key import IdempotencyMiddleware, RedisBackend

    app, origin = FastAPI(), Origin(place.folder, place.origin_s)
    app.add_middleware(
        IdempotencyMiddleware,
        backend=RedisBackend(redis_url=place.redis_url),
        header_name="Idempotency-Key",
        default_ttl=86400,
    )

    @app.post("/orders", status_code=201)
    async def order(order: dict[str, str]) -> dict[str, Any]:
        return await origin.run(order["item"])

    return app


ROWS = (
    Contender(
        name="fastapi-idempotency-key",
        distribution="fastapi-idempotency-key",
        documentation="https://github.com/Luan1Schons/fastapi-idempotency-key#readme",
        families=("idempotency",),
        app=application,
        group="redis-8",
    ),
)
