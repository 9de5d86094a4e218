"""What one client does must not shed the others: slow uploads, no patience, floods beyond a limit."""

import asyncio

import pytest
from fastapi import FastAPI, Request

from tests.http.wire import http_scope
from tidegate import LeakyBucket, Settings, TokenBucket, policy, protect
from tidegate.shedding.demand import COUNTED_S

KEY = "8e03978e-40d5-43e8-bc93-6894a57f9324"
UPLOADS = 40


class Upload:
    """A client that begins to send a body, and goes on when it is told to."""

    def __init__(self, app, path, number):
        scope = http_scope("POST", path, {"idempotency-key": f"{KEY}{number}", "content-type": "text/plain"})
        self.status, self.waited_for = None, asyncio.Event()
        self._goes_on, self._pieces = asyncio.Event(), [b"a", b"b", b"c"]
        self.task = asyncio.ensure_future(app(scope, self._receive, self._send))

    async def _receive(self):
        if not self._pieces:
            await asyncio.Event().wait()
        if len(self._pieces) < 3:
            self.waited_for.set()
            await self._goes_on.wait()
        return {"type": "http.request", "body": self._pieces.pop(0), "more_body": len(self._pieces) > 0}

    async def _send(self, message):
        self.status = self.status or message.get("status")

    async def end(self):
        self._goes_on.set()
        await asyncio.wait_for(self.task, 20)
        return self.status


def shop():
    app = FastAPI()

    @app.get("/products")
    @policy(limits=[TokenBucket("5/min", burst=5)], priority="critical")
    async def products():
        return "all"

    @app.get("/in-turn")
    @policy(limits=[LeakyBucket("10/s", max_wait="5s")])
    async def in_turn():
        return "done"

    @app.post("/read")
    async def read(request: Request):
        return len(await request.body())

    @app.post("/stream")
    async def stream(request: Request):
        return sum([len(piece) async for piece in request.stream()])

    @app.post("/taken")
    @policy(idempotent=True)
    async def taken(request: Request):
        return len(await request.body())

    return app


async def ask(app, path="/products", **headers):
    said = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        said.append(message)

    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    await app(http_scope("GET", path, fields), receive, send)
    return said[0]["status"]


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/read", "/stream", "/taken"])
async def test_slow_uploads_shed_nobody(path):
    app = shop()
    gate = protect(app, settings=Settings(memory_only=True, capacity=4, concurrency=8, trust_api_key_header=True))
    assert await Upload(app, path, "first").end() == 200
    assert await ask(app, x_api_key="first") == 200
    uploads = []
    for i in range(UPLOADS):
        uploads.append(Upload(app, path, i))
        await asyncio.wait_for(uploads[-1].waited_for.wait(), 20)
    await asyncio.sleep(COUNTED_S)  # in which they would become the demand
    for i in range(20):
        assert await ask(app, x_api_key=f"honest-{i}") == 200
    assert [await upload.end() for upload in uploads] == [200] * UPLOADS
    gate.close()


@pytest.mark.anyio
@pytest.mark.parametrize("headers", [{"tidegate_timeout_ms": "0"}, {"tidegate_timeout_ms": "1"}, {}])
async def test_a_flood_of_one_client_sheds_nobody(headers):
    """Refused for the time it leaves, or by its limit: it is no demand either way."""
    app = shop()
    gate = protect(app, settings=Settings(memory_only=True, capacity=1, shed_in_flight=0.1, trust_api_key_header=True))
    for i in range(3):
        assert await ask(app, x_api_key=f"first-{i}") == 200
    for _ in range(500):
        assert await ask(app, x_api_key="flood", **headers) in {200, 429, 503}
    assert [await ask(app, x_api_key=f"honest-{i}") for i in range(20)] == [200] * 20
    gate.close()


@pytest.mark.anyio
async def test_who_waits_for_the_start_that_a_limit_gave_it_sheds_nobody():
    app = shop()
    gate = protect(app, settings=Settings(memory_only=True, capacity=4, concurrency=8, trust_api_key_header=True))
    assert await ask(app, "/in-turn", x_api_key="first") == 200
    waiting = []
    for _ in range(30):
        waiting.append(asyncio.ensure_future(ask(app, "/in-turn", x_api_key="patient")))
        await asyncio.sleep(0.02)
    assert [await ask(app, x_api_key=f"honest-{i}") for i in range(20)] == [200] * 20
    assert await asyncio.gather(*waiting) == [200] * 30
    gate.close()
