"""Uploads that never end: they are ended in time, and hold no place that others need."""

import contextlib
import socket
from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI, Request

from tests.harness.waiting import eventually
from tests.http.uvicorn_server import UvicornServer
from tests.http.wire import Call, call, http_scope
from tidegate import Concurrency, policy, protect

KEY = {"idempotency-key": "8e03978e-40d5-43e8-bc93-6894a57f9324"}
JSON = {"content-type": "application/json"}


class Upload(Call):
    """A call whose body goes on for as long as the test likes."""

    def __init__(self, app, path, address="192.0.2.1", **headers):
        super().__init__(app, http_scope("POST", path, {**KEY, **JSON, **headers}, client=(address, 50000)))
        self._requests = [{"type": "http.request", "body": b"{", "more_body": True}]

    @property
    def answered(self):
        return self.task.done()


@pytest.fixture
def made():
    def make(settings, **bounds):
        app = FastAPI()

        @app.post("/claimed")
        @policy(idempotent=True)
        async def claimed(request: Request):
            return len(await request.body())

        @app.post("/slots")
        @policy(limits=[Concurrency(1, per="route")])
        async def slots(body: dict[str, int]):
            return len(body)

        @app.post("/streams")
        @policy(limits=[Concurrency(1, per="route")])
        async def streams(request: Request):
            return sum([len(piece) async for piece in request.stream()])

        gates.append(protect(app, settings=replace(settings, **bounds)))
        return app

    gates = []
    yield make
    for gate in gates:
        gate.close()


@pytest.mark.anyio
async def test_a_body_that_never_ends_is_answered_408(made, memory):
    upload = Upload(made(memory, body_timeout_ms=1000), "/claimed")
    await upload.task
    assert (upload.status, upload.headers["content-type"]) == (408, "application/problem+json")
    assert b"urn:tidegate:problem:body-too-slow" in upload.body
    assert upload.headers["connection"] == "close"


@pytest.mark.anyio
async def test_its_key_is_free_afterwards(made, memory):
    app = made(memory, body_timeout_ms=1000)
    await Upload(app, "/claimed").task
    assert (await call(app, "POST", "/claimed", headers=KEY)).status == 200


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/slots", "/streams"])
async def test_a_slot_is_not_held_by_a_body_that_never_ends(made, memory, path, log):
    app = made(memory, body_timeout_ms=1000)
    upload = Upload(app, path)
    refused = Call(app, http_scope("POST", path, JSON), body=b"{}")
    await refused.task
    assert refused.status == 429
    await upload.task
    assert (upload.status, upload.headers["content-type"]) == (408, "application/problem+json")
    admitted = Call(app, http_scope("POST", path, JSON), body=b"{}")
    await admitted.task
    assert admitted.status == 200
    assert "unhandled exception" not in log.text


@pytest.mark.anyio
async def test_one_caller_has_so_many_bodies_under_way(made, memory):
    app = made(memory, bodies_per_principal=2)
    uploads = [Upload(app, "/claimed") for _ in range(2)]
    refused = await call(app, "POST", "/claimed", headers=KEY)
    assert (refused.status, refused.headers["retry-after"]) == (429, "1")
    assert b"bodies-at-once" in refused.body
    other = Call(app, http_scope("POST", "/claimed", KEY, client=("192.0.2.2", 1)))
    await other.task
    assert other.status == 200
    for upload in uploads:
        upload.leave()
        await upload.task
        assert upload.status == 400
    assert (await call(app, "POST", "/claimed", headers=KEY)).status == 200


@pytest.mark.anyio
async def test_all_together_have_so_many_and_who_has_most_makes_room(made, memory):
    app = made(memory, bodies=3)
    greedy = [Upload(app, "/claimed") for _ in range(3)]
    other = Call(app, http_scope("POST", "/claimed", KEY, client=("192.0.2.2", 1)))
    await other.task
    assert other.status == 200
    await greedy[0].task
    assert (greedy[0].status, greedy[1].answered, greedy[2].answered) == (503, False, False)
    assert int(greedy[0].headers["retry-after"]) >= 1
    singles = [Upload(app, "/claimed", f"192.0.2.{n}") for n in (3, 4)]
    await greedy[1].task
    crowded = Call(app, http_scope("POST", "/claimed", KEY, client=("192.0.2.9", 1)))
    await crowded.task
    assert crowded.status == 503
    for upload in (greedy[2], *singles):
        upload.leave()
        await upload.task


def test_a_function_s_bodies_are_not_counted(memory):
    app = FastAPI()
    gate = protect(app, settings=replace(memory, on_lambda=True))
    assert gate._lifecycle.environment.uploads is None
    gate.close()


def connected(server):
    return contextlib.closing(socket.create_connection(("127.0.0.1", server.port), timeout=30))


def test_a_slot_is_not_held_by_a_client_that_takes_nothing(tmp_path):
    with UvicornServer("tests.http.upload_desk:app", tmp_path / "log") as server, connected(server) as client:
        client.sendall(b"GET /slots?pieces=1600 HTTP/1.1\r\nhost: a\r\n\r\n")
        assert client.recv(64).startswith(b"HTTP/1.1 200 ")
        assert httpx.get(f"{server.url}/slots").status_code == 429
        assert eventually(lambda: httpx.get(f"{server.url}/slots").status_code == 200)


@pytest.mark.parametrize("path", ["/claimed", "/slots"])
def test_a_real_connection_is_ended_and_the_server_goes_on(path, tmp_path):
    head = f"POST {path} HTTP/1.1\r\nhost: a\r\nidempotency-key: k\r\ncontent-length: 100\r\n"
    with UvicornServer("tests.http.upload_desk:app", tmp_path / "log") as server:
        with connected(server) as client:
            client.sendall(head.encode() + b"content-type: application/json\r\n\r\n{")
            assert client.recv(65536).startswith(b"HTTP/1.1 408 ")

        def admitted():
            return httpx.post(f"{server.url}{path}", headers={"idempotency-key": "k"}, json={}).status_code == 200

        assert eventually(admitted)
