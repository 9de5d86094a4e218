"""A middleware's time is up, as anyio ends it: at every further wait. What its request held is given back."""

import asyncio

import anyio
import pytest
from fastapi import FastAPI

from tests.harness.waiting import eventually
from tests.http.wire import call
from tidegate import Cache, Concurrency, TokenBucket, policy, protect
from tidegate.web.shield import ended_runs

pytestmark = pytest.mark.anyio
ROUNDS = 8  # whether a call to a store has begun when its wait is cancelled is the scheduler's choice


class Impatient:
    """Cancels a request as soon as its handler waits."""

    def __init__(self, app, waits):
        self._app = app
        self._waits = waits

    async def __call__(self, scope, receive, send):
        async with anyio.create_task_group() as group:

            async def cancel_when_it_waits():
                await self._waits.wait()
                group.cancel_scope.cancel()

            group.start_soon(cancel_when_it_waits)
            await self._app(scope, receive, send)
            group.cancel_scope.cancel()


@pytest.fixture
async def ask(stores, closing):
    """`ask(path)`: the request is cancelled in its handler; `ask(path, whole=True)`: it isn't."""
    app, waits = FastAPI(), [anyio.Event()]
    patient = []

    async def handler():
        if not patient:
            waits[0].set()
            await anyio.sleep_forever()
        return "done"

    app.get("/slot")(policy(limits=[Concurrency(1)])(handler))
    cached = policy(limits=[TokenBucket("1000/s")], cache=Cache("60s", wait="20s"))
    app.get("/cached/{round}")(cached(handler))
    closing.callback(protect(app, settings=stores.settings()).close)

    async def asked(path, *, whole=False):
        patient[:] = [1] * whole
        waits[0] = anyio.Event()
        return await call(app if whole else Impatient(app, waits[0]), "GET", path)

    return asked


async def test_a_lease_to_compute_is_given_back(ask):
    for each in range(ROUNDS):
        await ask(f"/cached/{each}")
        made = await ask(f"/cached/{each}", whole=True)
        assert made.headers["cache-status"].endswith(";stored"), "nobody else was believed to compute it"


async def test_a_slot_is_given_back(ask):
    for _ in range(ROUNDS):
        await ask("/slot")
        assert (await ask("/slot", whole=True)).status == 200


async def test_what_a_question_on_its_way_is_granted_is_given_back(stores, ask):
    for path in ("/slot", "/cached/late"):
        await ask("/slot", whole=True)  # connected, and the scripts are known
        stores.reset_counts()
        stores.to_redis.delay(200)
        asked = asyncio.ensure_future(ask(path, whole=True))
        await asyncio.to_thread(eventually, lambda: stores.to_redis.commands)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        stores.to_redis.pass_through()
        assert await ended_runs(10) == 0
        made = await ask(path, whole=True)
        assert made.status == 200
        assert path == "/slot" or made.headers["cache-status"].endswith(";stored")
