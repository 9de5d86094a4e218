"""Bodies of idempotent routes: forms whose boundary changes, large ones that wait in a file, too large ones."""

import hashlib
import os

import pytest
from fastapi import FastAPI, Request

from tests.http.wire import http_scope
from tidegate import policy, protect

KEY = {"idempotency-key": "8e03978e-40d5-43e8-bc93-6894a57f9324"}
MEBIBYTE = 1024 * 1024


@pytest.fixture
def app():
    made = FastAPI()

    @made.post("/forms")
    @policy(idempotent=True)
    async def form(request: Request):
        body = await request.body()
        return {"type": request.headers["content-type"], "bytes": len(body), "has": b"contents" in body}

    @made.post("/uploads")
    @policy(idempotent=True)
    async def upload(request: Request):
        seen, pieces = hashlib.sha256(), 0
        async for piece in request.stream():
            seen.update(piece)
            pieces += 1
        return {"sha256": seen.hexdigest(), "pieces": pieces}

    @made.post("/small")
    @policy(idempotent=True, max_body_bytes=100)
    async def small(request: Request):
        return len(await request.body())

    return made


def form(boundary: str, *contents: str) -> tuple[dict[str, str], bytes]:
    """A form as a client draws it up, with a boundary of its own."""
    parts = "".join(
        f'--{boundary}\r\ncontent-disposition: form-data; name="file"; filename="f"\r\n\r\n{content}\r\n'
        for content in contents
    )
    headers = {**KEY, "content-type": f"multipart/form-data; boundary={boundary}"}
    return headers, f"{parts}--{boundary}--\r\n".encode()


def post(api, path, headers, content):
    return api.post(path, key="alice", headers=headers, content=content)


def test_a_retry_of_a_form_has_another_boundary_and_is_the_same_payload(run, memory, app):
    api = run(app, memory)
    first = post(api, "/forms", *form("8f3a", "contents"))
    again = post(api, "/forms", *form("----WebKitFormBoundary7MA4YWxkTrZu0gW", "contents"))
    assert first.json()["type"].endswith("boundary=8f3a"), "the handler gets the form as it came"
    assert first.json()["has"]
    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")


def test_another_form_under_the_same_key_is_another_payload(run, memory, app):
    api = run(app, memory)
    assert post(api, "/forms", *form("8f3a", "contents")).status_code == 200
    for other in (form("8f3a", "Contents"), form("b", "con", "tents"), form("b", "contents", "")):
        assert post(api, "/forms", *other).status_code == 422


def test_json_is_compared_byte_for_byte(run, memory, app):
    api, headers = run(app, memory), {**KEY, "content-type": "application/json"}
    assert post(api, "/forms", headers, '{"a":1}').status_code == 200
    assert post(api, "/forms", headers, '{"a":1}').status_code == 200
    assert post(api, "/forms", headers, '{"a": 1}').status_code == 422


def test_a_large_upload_reaches_the_handler_as_it_was_sent(run, memory, app):
    content = os.urandom(5 * MEBIBYTE)
    answers = [post(run(app, memory), "/uploads", KEY, content) for _ in range(1)]
    assert answers[0].json()["sha256"] == hashlib.sha256(content).hexdigest()


def test_a_large_upload_is_compared_to_its_end(serve, memory, app):
    api, content = serve(app, memory), os.urandom(3 * MEBIBYTE)
    first = post(api, "/uploads", KEY, content)
    assert first.json()["pieces"] > 2, "no piece of it is as large as the whole"
    assert post(api, "/uploads", KEY, content).headers["idempotent-replayed"] == "true"
    assert post(api, "/uploads", KEY, content[:-1] + bytes([content[-1] ^ 1])).status_code == 422


def test_a_body_above_the_routes_limit_is_refused_and_nothing_is_claimed(run, memory, app):
    api = run(app, memory)
    refused = post(api, "/small", KEY, b"a" * 101)
    assert (refused.status_code, refused.json()["type"]) == (413, "urn:tidegate:problem:body-too-large")
    assert post(api, "/small", KEY, b"a" * 100).json() == 100


@pytest.mark.anyio
async def test_a_body_above_the_limit_is_not_read_to_its_end(memory, app):
    protect(app, settings=memory)
    asked, sent = [], []

    async def receive():
        asked.append(1)
        return {"type": "http.request", "body": b"a" * 60, "more_body": True}

    async def send(message):
        sent.append(message)

    await app(http_scope("POST", "/small", KEY), receive, send)
    assert (sent[0]["status"], len(asked)) == (413, 2)
