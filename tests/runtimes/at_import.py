"""The application, used once while it is imported: a server that imports it before it forks has an environment then."""

import asyncio

import httpx

from tests.runtimes.shop import app, environment_id, note


async def _used() -> None:
    transport = httpx.ASGITransport(app, client=("192.0.2.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
        assert (await client.get("/whoami")).status_code == 200


asyncio.run(_used())
note("imports", environment_id())
