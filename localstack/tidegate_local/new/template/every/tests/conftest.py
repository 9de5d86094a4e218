"""The application in this process: one store, in memory, and no AWS."""

import os

import httpx
import pytest

os.environ["TIDEGATE_STORE"] = "memory"


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
async def http():
    """A client of the application."""
    from api.app import app  # noqa: PLC0415 - it reads its environment when it is imported

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client
