"""A guarded handler that calls another service: what its caller said of deadline and criticality goes along."""

import httpx
import pytest
from fastapi import FastAPI

from tests.client.scripted_server import ScriptedServer
from tidegate import Settings, TokenBucket, policy, protect
from tidegate.client import AsyncClient, Client


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_a_handler_passes_on_its_caller_s_deadline_and_criticality(server: ScriptedServer, kind):
    app = FastAPI()
    gate = protect(app, settings=Settings(memory_only=True))

    @app.get("/async")
    @policy(limits=[TokenBucket("100/s")])
    async def calls_async() -> int:
        async with AsyncClient(base_url=server.url) as downstream:
            return (await downstream.get("/stock")).status_code

    @app.get("/sync")
    @policy(limits=[TokenBucket("100/s")])
    def calls() -> int:
        with Client(base_url=server.url) as downstream:
            return downstream.get("/stock").status_code

    said = {"Tidegate-Timeout-Ms": "4000", "Tidegate-Criticality": "sheddable"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api.test") as caller:
        assert (await caller.get(f"/{kind}", headers=said)).json() == 200
        assert (await caller.get(f"/{kind}")).json() == 200
    gate.close()
    told, untold = server.got
    assert told.fields["tidegate-criticality"] == "sheddable"
    assert 0 < int(told.fields["tidegate-timeout-ms"]) < 4000
    assert untold.fields["tidegate-criticality"] == "normal"
    assert int(untold.fields["tidegate-timeout-ms"]) > 4000
