"""A client that leaves, and a server that gives its request up: the handler ends, and the retry is replayed."""

import asyncio
import socket
import threading

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

from tests.harness.waiting import eventually
from tests.http.uvicorn_server import UvicornServer
from tests.http.wire import Call, call, http_scope
from tidegate import policy, protect

pytestmark = pytest.mark.anyio
KEY = {"idempotency-key": "8e03978e-40d5-43e8-bc93-6894a57f9324"}


class Held:
    """An application whose handlers wait to be let go, and count their runs."""

    def __init__(self, settings):
        self.began, self.may_end = threading.Event(), threading.Event()
        self.runs: list[str] = []
        self.app = FastAPI()
        self.gate = protect(self.app, settings=settings)
        guarded = policy(idempotent=True)

        @self.app.post("/async")
        @guarded
        async def awaits(request: Request):
            await asyncio.to_thread(self.wait)
            assert not await request.is_disconnected(), "it isn't told: it must run to its end"
            self.runs.append("async")
            return "done"

        @self.app.post("/def")
        @guarded
        def blocks():
            self.wait()
            self.runs.append("def")
            return "done"

        @self.app.post("/stream")
        @guarded
        async def streams():
            async def make():
                yield "do"
                await asyncio.to_thread(self.wait)
                self.runs.append("stream")
                yield "ne"

            return StreamingResponse(make())

    def wait(self):
        self.began.set()
        assert self.may_end.wait(30)

    async def begin(self, path: str) -> Call:
        begun = Call(self.app, http_scope("POST", path, KEY))
        await self.until(self.began.is_set)
        return begun

    async def until(self, look):
        await asyncio.to_thread(eventually, look)


@pytest.fixture
def held(memory):
    made = Held(memory)
    yield made
    made.may_end.set()
    made.gate.close()


@pytest.fixture(params=["async", "def", "stream"])
def path(request):
    return f"/{request.param}"


async def is_replayed_after_one_run(held, path):
    again = await call(held.app, "POST", path, headers=KEY)
    assert (again.status, again.headers["idempotent-replayed"]) == (200, "true")
    assert b"done" in again.body
    assert held.runs == [path.removeprefix("/")]


async def test_a_client_that_leaves_while_the_handler_runs(held, path):
    begun = await held.begin(path)
    begun.leave()
    held.may_end.set()
    await begun.task
    await is_replayed_after_one_run(held, path)


async def test_a_connection_that_breaks_under_the_answer(held, path, log):
    """As ASGI 2.4 says: sending raises OSError then. There is nobody to tell, and nothing has failed."""
    held.may_end.set()
    messages = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive():
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(_):
        raise OSError("connection lost")

    await held.app(http_scope("POST", path, KEY), receive, send)
    assert log.last["outcome"] == "admitted"
    assert "unhandled exception" not in log.text
    await is_replayed_after_one_run(held, path)


async def test_a_server_that_cancels_the_request_while_the_handler_runs(held, path, log):
    begun = await held.begin(path)
    begun.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await begun.task
    assert not log.requests, "its line is written at its end"
    assert (await call(held.app, "POST", path, headers=KEY)).status == 409, "it goes on"
    held.may_end.set()
    await held.until(lambda: len(log.requests) == 2)
    assert (log.last["outcome"], log.last["status"]) == ("admitted", 200)
    assert begun.sent == []
    await is_replayed_after_one_run(held, path)


async def test_a_server_that_cancels_while_the_claim_is_taken(held, path, monkeypatch):
    claims = held.gate._lifecycle.environment.claims
    asked, may_answer, claim = threading.Event(), threading.Event(), claims.claim

    def slow(request):
        asked.set()
        assert may_answer.wait(30)
        return claim(request)

    monkeypatch.setattr(claims, "claim", slow)
    begun = Call(held.app, http_scope("POST", path, KEY))
    await held.until(asked.is_set)
    begun.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await begun.task
    held.may_end.set()
    may_answer.set()
    await held.until(lambda: held.runs)
    await until_no_task_is_left()
    await is_replayed_after_one_run(held, path)


async def test_a_server_that_cancels_before_anything_is_claimed(held, path):
    receiving = asyncio.Event()

    async def receive():
        receiving.set()
        await asyncio.Event().wait()

    begun = asyncio.ensure_future(held.app(http_scope("POST", path, KEY), receive, None))
    await asyncio.wait_for(receiving.wait(), 10)
    begun.cancel()
    with pytest.raises(asyncio.CancelledError):
        await begun
    held.may_end.set()
    first = await call(held.app, "POST", path, headers=KEY)
    assert (first.status, "idempotent-replayed" in first.headers) == (200, False)


async def test_a_client_that_leaves_while_it_sends_claims_nothing(held, path):
    messages = [{"type": "http.request", "body": b"half", "more_body": True}, {"type": "http.disconnect"}]
    sent = []

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    await held.app(http_scope("POST", path, KEY), receive, send)
    assert sent[0]["status"] == 400
    held.may_end.set()
    first = await call(held.app, "POST", path, headers=KEY, body=b"another payload")
    assert (first.status, "idempotent-replayed" in first.headers) == (200, False)
    assert len(held.runs) == 1


async def test_no_task_is_left_behind(held, path):
    held.may_end.set()
    before = asyncio.all_tasks()
    await call(held.app, "POST", path, headers=KEY)
    assert asyncio.all_tasks() == before


async def test_a_servers_own_disconnect_comes_after_the_answer(memory):
    """An application that waits for the client to leave is not kept for ever."""
    app, inner, told = FastAPI(), FastAPI(), []

    class Waits:
        def __init__(self, app):
            self.app = app

        async def __call__(self, scope, receive, send):
            await self.app(scope, receive, send)
            told.extend([(await receive())["type"] for _ in range(2)])

    protect(app, settings=memory)
    app.mount("/inner", Waits(inner))

    @inner.post("/")
    @policy(idempotent=True)
    async def answer():
        return "done"

    begun = Call(app, http_scope("POST", "/inner/", KEY))
    await begun.until("done")
    begun.leave()
    await asyncio.wait_for(begun.task, 10)
    assert told == ["http.request", "http.disconnect"], "the body that nobody has read, and then the server's own"


async def until_no_task_is_left():
    ours = [task for task in asyncio.all_tasks() if task.get_coro().__qualname__.startswith("Pipeline.")]
    if ours:
        await asyncio.wait(ours, timeout=10)
    assert all(task.done() for task in ours)


class TestOnUvicorn:
    """A real server, a real connection that is closed while the handler runs."""

    @pytest.fixture
    def server(self, stores, till, tmp_path, closing):
        variables = {
            "TIDEGATE_REDIS_URL": stores.to_redis.url(stores.redis.url),
            "TIDEGATE_TABLE": stores.table,
            "TIDEGATE_DECISION_BUDGET_MS": "3000",
            "TILL": str(till),
        }
        return closing.enter_context(UvicornServer("tests.http.held_till:app", tmp_path / "log", **variables))

    @pytest.mark.parametrize("path", ["/async", "/def", "/stream"])
    def test_the_handler_ends_and_the_retry_is_replayed(self, server, till, path):
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            head = f"POST {path} HTTP/1.1\r\nhost: till\r\nidempotency-key: k{path}\r\ncontent-length: 2\r\n\r\n{{}}"
            client.sendall(head.encode())
            eventually(lambda: f"began {path}" in till.read_text())
        (till.parent / "go").touch()
        eventually(lambda: f"ended {path}" in till.read_text())

        def retry():
            return httpx.post(server.url + path, headers={"idempotency-key": f"k{path}"}, content="{}")

        answer = eventually(lambda: (got := retry()).status_code == 200 and got)
        assert answer.headers["idempotent-replayed"] == "true"
        assert till.read_text().count(f"began {path}") == 1
