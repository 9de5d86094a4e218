"""Requests that a handler makes to its own application, of its own scope: each is asked for like any other."""

import asyncio

import pytest
from fastapi import FastAPI, Request

from tests.http.faces import statuses
from tidegate import Admitted, Policy, TokenBucket, policy, protect

KEY = {"idempotency-key": "8e03978e-40d5-43e8-bc93-6894a57f9324"}
ALIKE = policy(limits=[TokenBucket("100/s")], idempotent=True)
THRICE = Policy(limits=(TokenBucket("3/h"),))


async def made_of(request, path, *, method="POST"):
    """Make a request of another one's scope; return its status and body."""
    said = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        said.append(message)

    scope = {**request.scope, "method": method, "path": path, "raw_path": path.encode()}
    await request.app(scope, receive, send)
    return said[0]["status"], said[1]["body"].decode()


@pytest.fixture
def app():
    made, runs = FastAPI(), []

    @made.post("/batch")
    @ALIKE
    async def batch(request: Request):
        return [await made_of(request, "/pay") for _ in range(2)]

    @made.post("/pay")
    @ALIKE
    async def pay():
        runs.append(1)
        return len(runs)

    @made.get("/items")
    async def items(request: Request):
        return [(await made_of(request, "/item", method="GET"))[0] for _ in range(4)]

    @made.get("/item")
    async def item():
        return {}

    return made


def test_a_key_in_a_batch_runs_its_handler_once(run, memory, app):
    assert run(app, memory).post("/batch", headers=KEY).json() == [[200, "1"], [200, "1"]]


def test_each_part_of_a_batch_is_charged(run, memory, app):
    assert run(app, memory, default=THRICE).get("/items").json() == [200, 200, 200, 429]


def test_a_mounted_applications_own_requests_are_charged(run, memory, app, closing):
    closing.callback(protect(app, settings=memory, default=THRICE).close)
    outer = FastAPI()
    outer.mount("/s", app)
    api = run(outer, memory, default=THRICE)

    @app.get("/s-items")
    async def items(request: Request):
        return [(await made_of(request, "/s/item", method="GET"))[0] for _ in range(4)]

    assert api.get("/s/s-items").json() == [200, 200, 200, 429]
    assert statuses([api.get("/s/item")]) == [200], "and the outer guard's own limit is another one"


def test_requests_at_the_same_time_know_their_own_admission(run, memory):
    app, met = FastAPI(), asyncio.Barrier(2)

    @app.post("/both")
    async def both(request: Request, admitted: Admitted):
        await asyncio.gather(made_of(request, "/one/1"), made_of(request, "/two/2"))
        return [seen, request.state.tidegate.route, admitted.route]

    seen = {}

    async def part(request: Request):
        await met.wait()
        seen[request.scope["path"]] = request.state.tidegate.route

    app.post("/one/{n}")(part)
    app.post("/two/{n}")(part)
    answer = run(app, memory).post("/both").json()
    assert answer == [{"/one/1": "/one/{n}", "/two/2": "/two/{n}"}, "/both", "/both"]
