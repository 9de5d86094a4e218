"""The application alone: what the others' costs are divided by."""

from typing import TYPE_CHECKING, Any

from tests.scoreboard.contender import Contender
from tests.scoreboard.origin import Origin
from tests.scoreboard.place import Place

if TYPE_CHECKING:
    from fastapi import FastAPI


def application(place: Place) -> "FastAPI":
    """FastAPI with the three routes."""
    from fastapi import FastAPI

    app, origin = FastAPI(), Origin(place.folder, place.origin_s)

    @app.get("/limited")
    async def limited() -> dict[str, bool]:
        return {"ok": True}

    @app.post("/orders", status_code=201)
    async def order(order: dict[str, str]) -> dict[str, Any]:
        return await origin.run(order["item"])

    @app.get("/things/{name}")
    async def thing(name: str) -> dict[str, Any]:
        return await origin.run(name)

    return app


BARE = Contender(
    name="bare",
    distribution="fastapi",
    documentation="https://fastapi.tiangolo.com/",
    families=("limits", "idempotency", "cache"),
    app=application,
    group=None,
)
