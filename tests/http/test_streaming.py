"""The guard is transparent: answers stream, work goes on after the answer, and clients may leave."""

import asyncio

import pytest
from fastapi import BackgroundTasks, FastAPI, Request
from fastapi.responses import FileResponse, StreamingResponse

from tests.http.wire import Call, call, http_scope
from tidegate import Admission, TokenBucket, policy, protect

pytestmark = pytest.mark.anyio
LIMITS = [TokenBucket("100/s")]
KEY = {"idempotency-key": "8e03978e-40d5-43e8-bc93-6894a57f9324"}


@pytest.fixture
def app(memory):
    made = FastAPI()
    protect(made, settings=memory)
    return made


async def test_the_first_piece_arrives_before_the_last_is_made(app):
    may_go_on = asyncio.Event()

    @app.get("/pieces")
    @policy(limits=LIMITS)
    async def pieces():
        async def make():
            yield "first "
            await may_go_on.wait()
            yield "last"

        return StreamingResponse(make())

    streaming = Call(app, http_scope("GET", "/pieces"))
    await streaming.until("first")
    assert b"last" not in streaming.body
    assert "ratelimit" in streaming.headers
    may_go_on.set()
    await streaming.task
    assert streaming.body == b"first last"


async def test_the_log_line_comes_at_the_streams_end(app, log):
    may_go_on = asyncio.Event()

    @app.get("/pieces")
    async def pieces():
        async def make():
            yield "first "
            await may_go_on.wait()

        return StreamingResponse(make())

    streaming = Call(app, http_scope("GET", "/pieces"))
    await streaming.until("first")
    assert not log.requests
    may_go_on.set()
    await streaming.task
    assert len(log.requests) == 1


async def test_a_client_that_leaves_ends_the_stream(app, log):
    ended = asyncio.Event()

    @app.get("/endless")
    async def endless():
        async def make():
            try:
                while True:
                    yield "more"
                    await asyncio.sleep(0)
            finally:
                ended.set()

        return StreamingResponse(make())

    # ASGI 2.4 servers raise OSError in send; older ones, such as this scope's, send a disconnect.
    streaming = Call(app, http_scope("GET", "/endless"))
    await streaming.until("more")
    streaming.leave()
    await asyncio.wait_for(streaming.task, 10)
    await asyncio.wait_for(ended.wait(), 10)
    assert log.last["status"] == 200


async def test_a_request_body_streams_to_the_handler(app):
    @app.post("/upload")
    @policy(limits=LIMITS)
    async def upload(request: Request):
        return [len(piece) async for piece in request.stream() if piece]

    pieces = [b"a" * 10, b"b" * 20]

    async def receive():
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    sent = []

    async def send(message):
        sent.append(message)

    await app(http_scope("POST", "/upload"), receive, send)
    assert sent[1]["body"] == b"[10,20]"


async def test_background_tasks_run_after_the_answer(app):
    may_end, done = asyncio.Event(), []

    @app.post("/later")
    @policy(limits=LIMITS)
    async def later(tasks: BackgroundTasks):
        async def work():
            await may_end.wait()
            done.append(True)

        tasks.add_task(work)
        return "accepted"

    begun = Call(app, http_scope("POST", "/later"))
    await begun.until("accepted")
    assert not done
    may_end.set()
    await begun.task
    assert done


async def test_an_idempotent_answer_does_not_wait_for_background_tasks(app):
    """Held back, it would come only after the work, and a long work would outlive the claim."""
    may_end, done = asyncio.Event(), []

    @app.post("/later")
    @policy(limits=LIMITS, idempotent=True)
    async def later(tasks: BackgroundTasks):
        async def work():
            await may_end.wait()
            done.append(True)

        tasks.add_task(work)
        return "accepted"

    begun = Call(app, http_scope("POST", "/later", KEY))
    try:
        await begun.until("accepted", within_s=2)
        replayed = await call(app, "POST", "/later", headers=KEY)
        assert replayed.headers["idempotent-replayed"] == "true"
        assert not done
    finally:
        may_end.set()
        await begun.task
    assert done == [True]


async def test_a_failing_background_task_leaves_the_idempotent_answer_as_it_is(app):
    @app.post("/later")
    @policy(limits=LIMITS, idempotent=True)
    async def later(tasks: BackgroundTasks):
        tasks.add_task(_fail)
        return "accepted"

    for _ in range(2):
        answer = await _even_if_it_raises(app, "/later")
        assert (answer.status, answer.body) == (200, b'"accepted"')


async def test_a_streamed_answer_of_an_idempotent_route_is_replayed_whole(app):
    runs = []

    @app.post("/pieces")
    @policy(limits=LIMITS, idempotent=True)
    async def pieces():
        async def make():
            runs.append(1)
            yield b"one "
            yield b"two"

        return StreamingResponse(make())

    answers = [await call(app, "POST", "/pieces", headers=KEY) for _ in range(2)]
    assert [answer.body for answer in answers] == [b"one two", b"one two"]
    assert len(runs) == 1


async def test_a_stream_of_an_idempotent_route_that_breaks_is_a_500_that_is_kept(app):
    runs = []

    @app.post("/pieces")
    @policy(limits=LIMITS, idempotent=True)
    async def pieces():
        async def make():
            runs.append(1)
            yield b"one "
            raise RuntimeError("inner secret")

        return StreamingResponse(make())

    answers = [Call(app, http_scope("POST", "/pieces", KEY))]
    with pytest.raises(RuntimeError, match="inner secret"):  # answered, and raised again for whoever watches
        await answers[0].task
    answers.append(await call(app, "POST", "/pieces", headers=KEY))
    assert [answer.status for answer in answers] == [500, 500]
    assert answers[0].body == answers[1].body
    assert b"one" not in answers[0].body
    assert b"secret" not in answers[0].body
    assert len(runs) == 1


async def test_a_file_is_kept_even_if_the_server_could_send_it_by_path(app, tmp_path):
    """A server that offers `http.response.pathsend` gets a path instead of bytes; a replay needs the bytes."""
    (tmp_path / "receipt").write_bytes(b"receipt")

    @app.post("/receipt")
    @policy(limits=LIMITS, idempotent=True)
    async def receipt():
        return FileResponse(tmp_path / "receipt")

    offered = {"http.response.pathsend": {}}
    for _ in range(2):
        answer = await call(app, "POST", "/receipt", headers=KEY, extensions=offered)
        assert answer.body == b"receipt"


async def test_a_handler_sees_its_admission(app):
    seen = []

    @app.get("/things/{thing}")
    @policy(limits=LIMITS)
    def read(thing: str, request: Request):
        seen.append(request.state.tidegate)

    @app.post("/things/{thing}")
    @policy(limits=LIMITS, idempotent=True)
    async def write(thing: str, request: Request):
        seen.append(request.state.tidegate)

    await call(app, "GET", "/things/1")
    await call(app, "POST", "/things/1", headers=KEY)
    reading, writing = seen
    assert reading == Admission("ip:192.0.2.1", "/things/{thing}", "memory", None)
    assert (writing.principal, writing.route) == (reading.principal, reading.route)
    assert writing.claim.id
    assert writing.claim.attempt_id
    assert writing.claim.pk.endswith(writing.claim.id)


def _fail():
    raise RuntimeError("too late to matter")


async def _even_if_it_raises(app, path):
    made = Call(app, http_scope("POST", path, KEY))
    await asyncio.wait([made.task], timeout=10)
    made.task.exception()
    return made
