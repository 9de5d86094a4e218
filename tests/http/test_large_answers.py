"""An answer that is too large to keep: it comes whole, in bounded memory, and is told once."""

import asyncio
import os
import tracemalloc

import pytest
from fastapi import FastAPI, Response
from fastapi.responses import StreamingResponse
from starlette.background import BackgroundTask

from tests.http.wire import call, http_scope
from tidegate import Cache, Policy, policy, protect
from tidegate.web.stored_response import LARGEST_INFLATED_BYTES

pytestmark = pytest.mark.anyio
KEY = {"idempotency-key": "d2f1c9a4-5d1e-4d6b-9c0e-9a4b1d3f8f10"}
MIB = 1024 * 1024
PIECES = 5 * LARGEST_INFLATED_BYTES // MIB


class Export:
    """An application that streams as many pieces as it is told to, on routes of every kind."""

    def __init__(self, settings, pieces=PIECES):
        self.runs = 0
        self.pieces = pieces
        self.app = FastAPI()
        protect(self.app, settings=settings, default=Policy())
        for path, how in {"/cached": {"cache": Cache("1m")}, "/joined": {"coalesce": True}}.items():
            self.app.api_route(path, methods=["GET", "HEAD"])(policy(**how)(self._answer))
        self.app.post("/once")(policy(idempotent=True)(self._answer))

    async def _answer(self) -> Response:
        self.runs += 1

        async def pieces():
            for _ in range(self.pieces):
                yield bytes(MIB)
                await asyncio.sleep(0)

        return StreamingResponse(pieces(), headers={"x-export": "all"})


async def size_of(app, method, path):
    """How many bytes came, and the most memory in use meanwhile."""
    came = 0

    async def receive():
        await asyncio.Event().wait()

    async def send(message):
        nonlocal came
        came += len(message.get("body", b""))

    messages = [{"type": "http.request", "body": b"", "more_body": False}]
    tracemalloc.start()
    try:
        await app(http_scope(method, path, KEY), lambda: receive() if not messages else _now(messages.pop()), send)
        return came, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


async def _now(message):
    return message


@pytest.mark.parametrize(("method", "path"), [("POST", "/once"), ("GET", "/cached"), ("GET", "/joined")])
async def test_its_memory_is_bounded(memory, method, path):
    came, peak = await size_of(Export(memory).app, method, path)
    assert came == PIECES * MIB
    assert peak < 2 * LARGEST_INFLATED_BYTES


async def test_work_in_the_background_holds_no_answer(memory):
    export, at_work, may_end = Export(memory), asyncio.Event(), asyncio.Event()

    async def work():
        at_work.set()
        await may_end.wait()

    @export.app.post("/later")
    @policy(idempotent=True)
    async def later():
        return Response(os.urandom(8 * MIB), background=BackgroundTask(work))

    messages = [{"type": "http.request", "body": b"", "more_body": False}]
    tracemalloc.start()
    try:
        asked = asyncio.ensure_future(
            export.app(http_scope("POST", "/later", KEY), lambda: _now(messages.pop()), _drop)
        )
        await asyncio.wait_for(at_work.wait(), 10)
        assert tracemalloc.get_traced_memory()[0] < 12 * MIB, "that of the response itself, which the application holds"
    finally:
        tracemalloc.stop()
        may_end.set()
        await asked


async def _drop(message):
    pass


async def test_a_retry_learns_that_it_was_given_and_runs_nothing(memory):
    export = Export(memory)
    first, retry = [await call(export.app, "POST", "/once", headers=KEY) for _ in range(2)]
    assert (first.status, len(first.body), first.headers["x-export"]) == (200, PIECES * MIB, "all")
    assert (retry.status, export.runs) == (409, 1)
    assert b"response-not-kept" in retry.body


async def test_requests_for_it_at_once_run_each_by_itself(memory):
    export = Export(memory, LARGEST_INFLATED_BYTES // MIB + 1)
    answers = await asyncio.gather(*[call(export.app, "GET", "/cached") for _ in range(3)])
    assert {len(answer.body) for answer in answers} == {export.pieces * MIB}
    assert export.runs == 3
    assert "detail=too-large" in answers[0].headers["cache-status"]


async def test_a_head_has_its_fields_alone(memory):
    answer = await call(Export(memory).app, "HEAD", "/cached")
    assert (answer.status, answer.body, answer.headers["x-export"]) == (200, b"", "all")


async def test_what_fits_is_shared_by_requests_at_once(memory):
    export = Export(memory, 2)
    answers = await asyncio.gather(*[call(export.app, "GET", "/cached") for _ in range(3)])
    assert [len(answer.body) for answer in answers] == [2 * MIB] * 3
    assert export.runs == 1
