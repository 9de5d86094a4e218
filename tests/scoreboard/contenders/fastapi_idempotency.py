"""fastapi-idempotency: its middleware with the store that it has for several workers, Tortoise ORM over SQLite."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.scoreboard.contender import Contender
from tests.scoreboard.origin import Origin
from tests.scoreboard.place import Place

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request


def application(place: Place) -> "FastAPI":
    """Callers are told apart by their credentials, as its page advises for an API with logins."""
    from fastapi import FastAPI
    from fastapi_idempotency import IdempotencyMiddleware
    from fastapi_idempotency.stores.tortoise import TortoiseStore
    from tortoise.contrib.fastapi import RegisterTortoise

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        database = Path(place.folder) / "idempotency.sqlite3"
        modules = {"models": ["fastapi_idempotency.stores.tortoise"]}
        async with RegisterTortoise(app, db_url=f"sqlite://{database}", modules=modules, generate_schemas=True):
            yield

    def scope(request: "Request") -> str:
        return request.headers.get("authorization", "")

    app, origin = FastAPI(lifespan=lifespan), Origin(place.folder, place.origin_s)
    lease_s = place.lease_s
    app.add_middleware(
        IdempotencyMiddleware,
        store=TortoiseStore(),
        scope=scope,
        lease_seconds=lease_s,
        heartbeat_seconds=lease_s / 3,
        wait_seconds=1,
    )

    @app.post("/orders", status_code=201)
    async def order(order: dict[str, str]) -> dict[str, Any]:
        return await origin.run(order["item"])

    return app


ROWS = (
    Contender(
        name="fastapi-idempotency",
        distribution="fastapi-idempotency",
        documentation="https://github.com/ohshya/fastapi-idempotency#readme",
        families=("idempotency",),
        app=application,
        group="fastapi-idempotency",
        claims_in="file",
    ),
)
