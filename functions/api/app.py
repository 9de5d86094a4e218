"""The application: routes, protection, and what is checked at start; for Lambda (`handler`) and uvicorn."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from functions.api.data.errors import DataUnavailableError
from functions.api.data.settings import ShopSettings
from functions.api.openapi import describe
from functions.api.problems import on_data_unavailable
from functions.api.routes import exports, health, orders, products, reports
from functions.api.shop import watch
from tidegate import protect

ROUTERS = (products.router, orders.router, reports.router, exports.router, health.router)


@asynccontextmanager
async def _lifespan(_: FastAPI) -> AsyncIterator[None]:
    ShopSettings.from_environ(os.environ)
    yield


def create_app() -> FastAPI:
    """Make the application.

    Raises:
        ConfigurationError: on Lambda, where the import is the start, if the environment lacks something; a
            server raises it from its own start (lifespan).
    """
    app = FastAPI(
        title="Tidegate's shop",
        version="1",
        summary="A small shop behind every protection of Tidegate.",
        lifespan=_lifespan,
    )
    app.state.gate = protect(app, requests="/v1/requests")
    watch(app.state.gate.observe)
    app.add_exception_handler(DataUnavailableError, on_data_unavailable)
    for router in ROUTERS:
        app.include_router(router)
    describe(app, ROUTERS)
    if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        ShopSettings.from_environ(os.environ)
    return app


app = create_app()
