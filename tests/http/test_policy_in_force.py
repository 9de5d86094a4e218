"""A policy is in force in whatever shape of application its handler stands, or it is refused; never silently absent."""

import functools

import pytest
from fastapi import Depends, FastAPI, Request, WebSocket
from fastapi.middleware.cors import CORSMiddleware
from starlette.applications import Starlette
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from tests.http.shapes import HIDING, SHAPES, plain
from tidegate import Caller, ConfigurationError, TokenBucket, policy, protect

KEY = {"idempotency-key": "8e03978e-40d5-43e8-bc93-6894a57f9324"}
AMPLE = [TokenBucket("100/s")]
ONCE = TokenBucket("1/h", name="once")
IDEMPOTENT = policy(limits=AMPLE, idempotent=True)


@pytest.fixture
def client(closing, memory):
    """`client(app)`: the application started, protected and asked as by its own tests."""

    def start(app, **options):
        closing.callback(protect(app, settings=memory, **options).close)
        return closing.enter_context(TestClient(app, raise_server_exceptions=False))

    return start


@pytest.mark.parametrize("shape", SHAPES)
def test_a_handler_runs_once_for_a_key_in_every_shape(client, log, shape):
    runs = []
    app, path = SHAPES[shape](IDEMPOTENT, runs)
    api = client(app)
    api.get("/grow")
    assert api.post(path).status_code == 400, "a key is needed"
    answers = [api.post(path, headers=KEY) for _ in range(2)]
    assert [answer.json() for answer in answers] == [1, 1]
    assert answers[1].headers["idempotent-replayed"] == "true"
    assert len(runs) == 1
    assert "failed" not in log.text


@pytest.mark.parametrize("shape", SHAPES)
def test_limits_hold_in_every_shape(client, shape):
    runs = []
    app, path = SHAPES[shape](policy(limits=[ONCE]), runs)
    api = client(app)
    api.get("/grow")
    assert [api.post(path).status_code for _ in range(2)] == [200, 429]
    assert len(runs) == 1


@pytest.mark.parametrize("shape", HIDING)
def test_a_handler_that_is_hidden_does_not_run_and_it_is_logged(client, log, shape):
    runs = []
    app, path = HIDING[shape](IDEMPOTENT, runs)
    answer = client(app).post(path, headers=KEY)
    assert answer.status_code == 500
    assert not runs
    assert "its policy isn't in force" in log.text


@pytest.mark.parametrize("shape", HIDING)
def test_limits_of_a_handler_that_is_hidden_are_warned_about_once(client, log, shape):
    runs = []
    app, path = HIDING[shape](policy(limits=[ONCE]), runs)
    api = client(app)
    assert [api.post(path, headers=KEY).status_code for _ in range(3)] == [200, 200, 200]
    assert log.text.count("a policy isn't in force") == 1


def test_a_policy_without_protect_does_not_run_its_handler():
    runs = []
    app, path = plain(IDEMPOTENT, runs)
    with TestClient(app, raise_server_exceptions=False) as api:
        assert api.post(path, headers=KEY).status_code == 500
    assert not runs


def test_protect_twice_is_refused(memory):
    app = FastAPI()
    protect(app, settings=memory)
    with pytest.raises(ConfigurationError, match="call it once"):
        protect(app, settings=memory)


@pytest.mark.parametrize("given", [Starlette(), CORSMiddleware(FastAPI()), None])
def test_protect_takes_a_fastapi_application_alone(memory, given):
    with pytest.raises(ConfigurationError, match="it takes a FastAPI application"):
        protect(given, settings=memory)


def test_protect_after_the_first_request_is_refused(memory):
    app = FastAPI()
    TestClient(app).get("/")
    with pytest.raises(ConfigurationError, match="call it before"):
        protect(app, settings=memory)


def test_an_application_mounted_in_a_protected_one_is_guarded_once(client, memory, closing):
    runs = []
    sub, path = plain(policy(limits=[TokenBucket("3/h")], idempotent=True), runs)
    closing.callback(protect(sub, settings=memory).close)
    app = FastAPI()
    app.mount("/s", sub)
    api = client(app)
    assert [api.post("/s" + path, headers=KEY).json() for _ in range(2)] == [1, 1]
    assert api.post("/s" + path, headers={"idempotency-key": "another"}).json() == 2, "charged once, not twice"


def test_a_policy_that_a_router_of_the_lifespan_brings_is_checked(stores, closing):
    app, _ = SHAPES["a_router_of_the_lifespan"](policy(idempotent=True, claims="redis"), [])
    closing.callback(protect(app, settings=stores.settings(redis_url=None)).close)
    with pytest.raises(ConfigurationError, match="TIDEGATE_REDIS_URL"), TestClient(app):
        pass


# ── websockets ────────────────────────────────────────────────────────────────────────────────────────────────────────


def socket_app(declared):
    app = FastAPI()

    @app.websocket("/live")
    @declared
    async def live(socket: WebSocket):
        await socket.accept()
        await socket.send_text(socket.state.tidegate.route)
        await socket.close()

    return app


def test_limits_of_a_websocket_hold_at_its_handshake(client):
    api = client(socket_app(policy(limits=[ONCE])))
    with api.websocket_connect("/live") as socket:
        assert socket.receive_text() == "/live"
    with pytest.raises(WebSocketDenialResponse) as refused, api.websocket_connect("/live"):
        pass
    assert refused.value.status_code == 429
    assert refused.value.headers["content-type"] == "application/problem+json"
    assert int(refused.value.headers["retry-after"]) > 0


@pytest.mark.anyio
async def test_a_server_that_cannot_deny_is_told_to_close(memory):
    app, said = socket_app(policy(limits=[ONCE])), []
    gate = protect(app, settings=memory)

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        said.append(message)

    scope = {"type": "websocket", "path": "/live", "headers": [], "query_string": b"", "client": ("192.0.2.1", 1)}
    for _ in range(2):
        await app(dict(scope), receive, send)
    assert [m["type"] for m in said] == ["websocket.accept", "websocket.send", "websocket.close", "websocket.close"]
    assert said[-1]["code"] == 1008
    gate.close()


@pytest.mark.parametrize("asks", [{"idempotent": True}, {"coalesce": True}])
def test_what_a_websocket_cannot_have_is_refused_at_start(memory, closing, asks):
    app = socket_app(policy(limits=AMPLE, **asks))
    closing.callback(protect(app, settings=memory).close)
    with pytest.raises(ConfigurationError, match="websocket"), TestClient(app):
        pass


def test_a_websocket_that_fails_is_closed_and_its_error_raised(memory, closing):
    app = FastAPI()

    @app.websocket("/live")
    @policy(limits=AMPLE)
    async def live(socket: WebSocket):
        raise RuntimeError("inner")

    closing.callback(protect(app, settings=memory).close)
    with TestClient(app) as api, pytest.raises((RuntimeError, WebSocketDisconnect)), api.websocket_connect("/live"):
        pass


# ── identify ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def awaited(scope):
    return "user:ann"


class Awaited:
    async def __call__(self, scope):
        return "user:ann"


def of_request(request: Request):
    return "user:" + request.headers["x-user"]


WRONG = {
    "async": awaited,
    "an object with an async call": Awaited(),
    "for a Request": of_request,
    "without arguments": lambda: "user:ann",
    "with two arguments": lambda scope, request: "user:ann",
    "no function": "user:ann",
}
WRONG_WHEN_TRIED = {
    "nobody": lambda scope: None,
    "a number": lambda scope: 7,
    "an empty text": lambda scope: "",
    "a Caller without a principal": lambda scope: Caller(None),
    "something to be awaited": functools.partial(awaited),
    "for a Request without saying so": lambda request: "user:" + request.headers.get("x-user", "nobody"),
}


@pytest.mark.parametrize("identify", WRONG)
def test_an_identify_that_cannot_be_one_is_refused_at_once(memory, identify):
    with pytest.raises(ConfigurationError, match="identify"):
        protect(FastAPI(), settings=memory, identify=WRONG[identify])


@pytest.mark.parametrize("identify", WRONG_WHEN_TRIED)
def test_an_identify_that_finds_no_caller_is_found_at_start(memory, closing, identify):
    app = FastAPI()
    closing.callback(protect(app, settings=memory, identify=WRONG_WHEN_TRIED[identify]).close)
    with pytest.raises(ConfigurationError, match="identify"), TestClient(app):
        pass


@pytest.mark.parametrize(
    "identify",
    [
        lambda scope: "user:" + scope["session"]["user"],
        lambda scope: Caller("user:ann"),
        lambda scope, /, *, prefix="user": f"{prefix}:ann",
        str,
    ],
)
def test_an_identify_that_may_find_one_is_taken(client, identify):
    client(FastAPI(), identify=identify)


# ── who watches from outside ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("declared", [policy(limits=AMPLE), IDEMPOTENT])
def test_an_unhandled_exception_is_answered_and_raised_again(memory, closing, declared):
    app, seen = FastAPI(), []

    @app.post("/broken")
    @declared
    async def broken():
        raise RuntimeError("inner")

    @app.middleware("http")
    async def watching(request, call_next):
        try:
            return await call_next(request)
        except RuntimeError as error:
            seen.append(str(error))
            raise

    closing.callback(protect(app, settings=memory).close)
    with pytest.raises(RuntimeError, match="inner"):
        TestClient(app).post("/broken", headers=KEY)
    answer = TestClient(app, raise_server_exceptions=False).post("/broken", headers={"idempotency-key": "another"})
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")


# ── what commits after the answer ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("scope", ["request", "function"])
def test_an_answer_is_kept_only_when_the_commit_has_happened(client, scope):
    app, commits, broken = FastAPI(), [], [True]

    async def unit_of_work():
        yield
        if broken:
            raise RuntimeError("the commit failed")
        commits.append(1)

    @app.post("/orders")
    @policy(limits=AMPLE, idempotent=True, keep_5xx=False)
    async def order(_: None = Depends(unit_of_work, scope=scope)):
        return "done"

    api = client(app)
    assert api.post("/orders", headers=KEY).status_code == 500
    broken.clear()
    answers = [api.post("/orders", headers=KEY) for _ in range(2)]
    assert [answer.json() for answer in answers] == ["done", "done"]
    assert "idempotent-replayed" not in answers[0].headers
    assert answers[1].headers["idempotent-replayed"] == "true"


# ── headers of the moment ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "several", [[("idempotency-key", "a"), ("idempotency-key", "a")], [("idempotency-key", "a,a")]]
)
def test_two_idempotency_keys_are_refused(client, several):
    app, _ = plain(IDEMPOTENT, [])
    answer = client(app).post("/pay", headers=several)
    assert answer.status_code == 400
    assert answer.json()["type"] == "urn:tidegate:problem:idempotency-key-invalid"


@pytest.mark.parametrize("shape", ["plain", "a_mount_within_a_middleware"])
def test_a_replay_speaks_to_the_origin_and_the_codings_of_who_asks(client, shape):
    from starlette.middleware.cors import CORSMiddleware  # noqa: PLC0415
    from starlette.middleware.gzip import GZipMiddleware  # noqa: PLC0415

    app, path = SHAPES[shape](IDEMPOTENT, [])
    app.add_middleware(GZipMiddleware, minimum_size=1)
    app.add_middleware(CORSMiddleware, allow_origin_regex=".*", allow_credentials=True)
    api = client(app)
    first = api.post(path, headers={**KEY, "origin": "https://one.example", "accept-encoding": "gzip"})
    again = api.post(path, headers={**KEY, "origin": "https://two.example", "accept-encoding": "identity"})
    assert first.headers["content-encoding"] == "gzip"
    assert again.headers["idempotent-replayed"] == "true"
    assert "content-encoding" not in again.headers
    assert again.headers["access-control-allow-origin"] == "https://two.example"
    assert again.json() == first.json()
