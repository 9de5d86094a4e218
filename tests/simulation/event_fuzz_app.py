"""The application that the events are sent to, with every protection that memory alone can give."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.security import APIKeyHeader

from tidegate import Cache, Concurrency, LeakyBucket, Policy, Settings, TokenBucket, policy, protect


def application() -> FastAPI:
    """The application, with every protection that memory alone can give."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
        yield {"opened": True}

    app = FastAPI(lifespan=lifespan)
    settings = Settings(memory_only=True, on_lambda=True, trust_api_key_header=True, principal_secret="pepper")
    protect(app, settings=settings, requests="/requests", default=Policy(limits=(TokenBucket("2000/s"),)))

    @app.get("/products")
    @policy(limits=[TokenBucket("1000/s", burst=1000)], cache=Cache("1s", shared=True, vary=("accept-encoding",)))
    async def products() -> list[int]:
        return [1, 2]

    @app.get("/products/{product:path}")
    @policy(limits=[TokenBucket("500/s", burst=500)], cache=Cache("1s"))
    async def product(product: str) -> str:
        return product

    @app.post("/orders", status_code=201)
    @policy(limits=[TokenBucket("500/s", burst=500), Concurrency(5)], idempotent=True, priority="critical")
    async def order(request: Request, body: dict[str, int] | None = None) -> dict[str, Any]:
        assert request.state.opened
        return {"principal": request.state.tidegate.principal, "body": body}

    @app.post("/exports")
    @policy(limits=[TokenBucket("1/s", burst=1)], overflow="queue")
    async def export(request: Request) -> int:
        return len(await request.body())

    @app.get("/slots")
    @policy(limits=[LeakyBucket("1000/s", max_wait="2ms")], coalesce=True)
    async def slots(request: Request, n: int = 0) -> str:
        return str(request.url_for("slots")) + str(n)

    @app.api_route("/wide", methods=["GET", "POST"], dependencies=[Depends(APIKeyHeader(name="x-api-key"))])
    async def wide(request: Request) -> dict[str, Any]:
        size = len(await request.body())
        return {"query": request.query_params.multi_items(), "cookies": request.cookies, "size": size}

    return app
