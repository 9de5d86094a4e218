"""The application: routes, protection, and checks at start; for Lambda (`handler`) and uvicorn."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from functions.api.cross_origin import allow_origins
from functions.api.data.errors import DataUnavailableError
from functions.api.data.settings import ShopSettings
from functions.api.health_access import HealthAccess
from functions.api.openapi import describe
from functions.api.problems import on_data_unavailable
from functions.api.readiness import ReadinessCheck
from functions.api.routes import exports, health, orders, products, reports
from functions.api.shop import watch
from tidegate import protect

ROUTERS = (products.router, orders.router, reports.router, exports.router, health.router)


@asynccontextmanager
async def _lifespan(_: FastAPI) -> AsyncIterator[None]:
    _check_environment()
    yield


def _check_environment() -> None:
    ShopSettings.from_environ(os.environ)
    HealthAccess.from_environ(os.environ)


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
    describe(app)
    app.state.gate = protect(app, requests="/v1/requests")
    app.state.readiness = ReadinessCheck(app.state.gate)
    watch(app.state.gate.observe)
    app.add_exception_handler(DataUnavailableError, on_data_unavailable)
    for router in ROUTERS:
        app.include_router(router)
    allow_origins(app, os.environ)
    if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        _check_environment()
    return app


app = create_app()
