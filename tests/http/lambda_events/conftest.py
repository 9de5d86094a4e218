"""An application as a function that is given events, and nothing else."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response

from tests.harness.lambda_events import LambdaContext
from tidegate import Settings, lambda_handler, protect


@pytest.fixture(autouse=True)
def function_loop() -> Iterator[None]:
    """The handler makes its event loop itself, as in a function; it is closed with the test."""
    asyncio.set_event_loop(None)
    yield
    loop = asyncio.get_event_loop()
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture
def app() -> FastAPI:
    """An application that tells what it has been asked."""
    made = FastAPI()
    protect(made, settings=Settings(memory_only=True, on_lambda=True))

    @made.get("/v1/orders/{order_id:path}", name="order")
    async def order(order_id: str, request: Request):
        return {
            "id": order_id,
            "root": request.scope["root_path"],
            "raw": request.scope["raw_path"].decode(),
            "link": str(request.url_for("order", order_id="7")),
            "query": request.query_params.multi_items(),
            "several": request.headers.getlist("x-several"),
            "cookies": request.cookies,
            "client": request.client and request.client.host,
        }

    @made.api_route("/echo", methods=["POST", "PUT"])
    async def echo(request: Request):
        return Response(await request.body(), media_type="application/octet-stream")

    @made.get("/")
    async def home(request: Request):
        return str(request.base_url)

    return made


@pytest.fixture
def ask(app: FastAPI) -> Callable[..., dict[str, Any]]:
    """`ask(event, **options)`: what a function with these options answers."""

    def asked(event: Any, **options: Any) -> dict[str, Any]:
        return lambda_handler(app, **options)(event, LambdaContext())

    return asked
