"""Applications of every make behind the guard: middleware, mounted parts, other methods, sockets, lifespan."""

import contextlib

import pytest
from fastapi import APIRouter, FastAPI, Request, WebSocket
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from tests.http.faces import statuses
from tests.http.wire import call
from tidegate import TokenBucket, policy, protect

ONCE = [TokenBucket("1/h")]
AMPLE = [TokenBucket("100/s")]
KEY = {"idempotency-key": "8e03978e-40d5-43e8-bc93-6894a57f9324"}


@pytest.mark.parametrize("when", ["before", "after"])
def test_middleware_of_the_application_works(serve, memory, when):
    app, seen = FastAPI(), []

    @app.post("/orders")
    @policy(limits=AMPLE, idempotent=True)
    async def order(body: dict):
        return body

    class Noting(BaseHTTPMiddleware):
        async def dispatch(self, request, call_next):
            seen.append(getattr(request.state, "tidegate", None))
            response = await call_next(request)
            response.headers["x-noted"] = "1"
            return response

    gate = None
    if when == "before":
        app.add_middleware(Noting)
        app.add_middleware(GZipMiddleware, minimum_size=10)
    gate = protect(app, settings=memory)
    if when == "after":
        app.add_middleware(Noting)
        app.add_middleware(GZipMiddleware, minimum_size=10)
    api = serve(app, gate=gate)
    answers = [api.post("/orders", headers=KEY, json={"text": "x" * 2000}) for _ in range(2)]
    assert [answer.json() for answer in answers] == [{"text": "x" * 2000}] * 2
    assert all(answer.headers["x-noted"] == "1" for answer in answers)
    assert all(answer.headers["content-encoding"] == "gzip" for answer in answers)
    assert answers[1].headers["idempotent-replayed"] == "true"
    assert seen == [None, None], "whenever it was added, it stands outside, and sees every request before the guard"


def test_middleware_that_refuses_does_not_use_a_key_up(serve, memory):
    app, closed = FastAPI(), [True]

    @app.post("/orders")
    @policy(limits=AMPLE, idempotent=True)
    async def order():
        return "done"

    @app.middleware("http")
    async def door(request, call_next):
        return PlainTextResponse("closed", 403) if closed else await call_next(request)

    api = serve(app, memory)
    assert api.post("/orders", headers=KEY).status_code == 403
    closed.clear()
    assert api.post("/orders", headers=KEY).text == '"done"'


@pytest.mark.parametrize("when", ["before", "after"])
def test_cors_answers_preflights_and_marks_refusals(run, memory, when):
    app = FastAPI()
    origin = {"origin": "https://shop.example"}

    @app.get("/products")
    @policy(limits=ONCE)
    async def products():
        return []

    if when == "before":
        app.add_middleware(CORSMiddleware, allow_origins=["https://shop.example"], expose_headers=["RateLimit"])
    api = run(app, memory)
    if when == "after":
        app.add_middleware(CORSMiddleware, allow_origins=["https://shop.example"], expose_headers=["RateLimit"])
    asked = {**origin, "access-control-request-method": "GET"}
    for _ in range(3):
        preflight = api.request("OPTIONS", "/products", headers=asked)
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == "https://shop.example"
        assert "ratelimit" not in preflight.headers, "it never came to the guard"
    answers = [api.get("/products", headers=origin) for _ in range(2)]
    assert statuses(answers) == [200, 429]
    assert all(answer.headers["access-control-allow-origin"] == "https://shop.example" for answer in answers)


def test_head_and_options_are_answered_as_without_the_guard(run, memory):
    def made():
        app = FastAPI()

        @app.api_route("/both", methods=["GET", "HEAD"])
        @policy(limits=AMPLE)
        async def both():
            return PlainTextResponse("hello")

        @app.get("/get-only")
        async def get_only():
            return []

        return app

    guarded = run(made(), memory)
    head = guarded.request("HEAD", "/both")
    assert (head.status_code, head.headers["content-length"]) == (200, "5")
    assert "ratelimit" in head.headers
    assert guarded.request("HEAD", "/get-only").status_code == 405
    assert guarded.request("OPTIONS", "/get-only").status_code == 405


def test_mounted_applications_keep_their_policies_and_their_errors(run, memory):
    app, inner, router = FastAPI(), FastAPI(), APIRouter(prefix="/deep")

    @inner.get("/once/{thing}")
    @policy(limits=ONCE)
    async def once(thing: str, request: Request):
        return {"thing": thing, "route": request.state.tidegate.route}

    @inner.post("/orders")
    @policy(limits=AMPLE, idempotent=True)
    async def order():
        return "done"

    @inner.get("/broken")
    async def broken():
        raise RuntimeError("inner secret")

    @router.get("/once")
    @policy(limits=ONCE)
    async def deep():
        return []

    inner.include_router(router)
    app.mount("/inner", inner)
    api = run(app, memory)

    answers = [api.get("/inner/once/1"), api.get("/inner/once/2")]
    assert statuses(answers) == [200, 429]
    assert answers[0].json() == {"thing": "1", "route": "/inner/once/{thing}"}
    assert statuses([api.get("/inner/deep/once"), api.get("/inner/deep/once")]) == [200, 429]
    assert statuses([api.post("/inner/orders"), api.post("/inner/orders", headers=KEY)]) == [400, 200]
    failed = api.get("/inner/broken")
    assert failed.status_code == 500
    assert "secret" not in failed.text


def test_mounted_parts_that_are_not_fastapi_are_limited_by_the_default(run, memory, tmp_path):
    (tmp_path / "page.txt").write_text("page")

    async def hello(request):
        return PlainTextResponse("hello")

    app = FastAPI()
    app.mount("/static", StaticFiles(directory=tmp_path))
    app.mount("/plain", Starlette(routes=[Route("/hello", hello), Mount("/deeper", routes=[Route("/hello", hello)])]))
    api = run(app, memory)
    for path in ("/static/page.txt", "/plain/hello", "/plain/deeper/hello"):
        answer = api.get(path)
        assert (answer.status_code, "ratelimit" in answer.headers) == (200, True), path


def test_a_mount_and_its_part_may_call_their_parameters_alike(run, memory):
    async def hello(request):
        return PlainTextResponse(request.path_params["name"])

    app = FastAPI()
    app.mount("/{name}", Starlette(routes=[Route("/hello/{name}", hello)]))
    assert run(app, memory).get("/anything/hello/you").text == "you"


@pytest.mark.anyio
@pytest.mark.parametrize("left_on", [True, False])
async def test_an_application_behind_a_prefix_keeps_its_policies(memory, left_on):
    """A proxy may leave the prefix on the path or take it off; a path may also just begin like it."""
    app = FastAPI()
    protect(app, settings=memory)

    @app.get("/orders")
    @policy(limits=ONCE)
    async def orders():
        return []

    @app.get("/v1beta/orders")
    @policy(limits=ONCE)
    async def begins_like_the_prefix():
        return []

    for path in ("/orders", "/v1beta/orders"):
        seen = [
            await call(app, "GET", "/v1" + path if left_on else path, root_path="/v1", app_root_path="/v1")
            for _ in range(2)
        ]
        assert [answer.status for answer in seen] == [200, 429], path


def test_a_redirected_slash_is_limited_at_its_own_path(run, memory):
    app = FastAPI()

    @app.get("/orders/")
    @policy(limits=ONCE)
    async def orders():
        return []

    api = run(app, memory)
    assert statuses([api.get("/orders"), api.get("/orders/"), api.get("/orders/")]) == [307, 200, 429]


@pytest.mark.anyio
async def test_the_applications_lifespan_runs_and_its_state_reaches_handlers(memory):
    steps = []

    @contextlib.asynccontextmanager
    async def lifespan(app):
        steps.append("start")
        yield {"pool": "a pool"}
        steps.append("stop")

    app = FastAPI(lifespan=lifespan)
    protect(app, settings=memory)

    @app.get("/pool")
    async def pool(request: Request):
        return [request.state.pool, request.state.tidegate.route]

    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    state, said = {}, []

    async def receive():
        if len(messages) == 1:
            answer = await call(app, "GET", "/pool", state=dict(state))
            assert answer.body == b'["a pool","/pool"]'
        return messages.pop(0)

    async def send(message):
        said.append(message["type"])

    await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": state}, receive, send)
    assert steps == ["start", "stop"]
    assert said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


@pytest.mark.anyio
async def test_websockets_pass(memory):
    app = FastAPI()
    protect(app, settings=memory)

    @app.websocket("/echo")
    async def echo(socket: WebSocket):
        await socket.accept()
        await socket.send_text((await socket.receive_text()).upper())
        await socket.close()

    messages = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "hello"}]
    said = []

    async def receive():
        return messages.pop(0)

    async def send(message):
        said.append(message)

    await app({"type": "websocket", "path": "/echo", "headers": [], "query_string": b""}, receive, send)
    assert [message["type"] for message in said] == ["websocket.accept", "websocket.send", "websocket.close"]
    assert said[1]["text"] == "HELLO"


def test_documentation_routes_are_there_and_know_no_policy(run, memory):
    app = FastAPI()

    @app.post("/orders")
    @policy(limits=AMPLE, idempotent=True)
    async def order(amount: int):
        """Order."""
        return amount

    api = run(app, memory)
    schema = api.get("/openapi.json").json()
    operation = schema["paths"]["/orders"]["post"]
    assert operation["description"] == "Order."
    assert [parameter["name"] for parameter in operation["parameters"]] == ["amount", "Idempotency-Key"]
    assert api.get("/docs").status_code == 200
