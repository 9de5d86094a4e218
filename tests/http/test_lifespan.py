"""An application's start-up on Lambda, once per environment and on its requests' loop, and its shutdown."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager

import pytest
from fastapi import APIRouter, FastAPI, Request

from tests.conftest import _AWS as CREDENTIALS
from tests.harness.lambda_events import LambdaContext, rest_event
from tidegate import ConfigurationError, Settings, StartupError, lambda_handler, policy, protect
from tidegate.aws_lambda.lifespan import Lifespan, has_lifespan

MEMORY = Settings(memory_only=True, on_lambda=True)


@pytest.fixture(autouse=True)
def function_loop():
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


class Opens:
    """An application that opens something at its start, bound to the loop that runs then."""

    def __init__(self, *, protected=True):
        self.log = []
        self.app = FastAPI(lifespan=self.lifespan)
        self.gate = protect(self.app, settings=MEMORY) if protected else None

        @self.app.get("/")
        async def reads(request: Request):
            request.state.seen = request.state.pool["asked"] = request.state.pool["asked"] + 1
            assert request.state.pool["loop"] is asyncio.get_running_loop()
            return request.state.pool["asked"]

        @self.app.get("/state")
        async def state(request: Request):
            return hasattr(request.state, "seen")

    @asynccontextmanager
    async def lifespan(self, app):
        self.log.append("opened")
        await asyncio.sleep(0)
        yield {"pool": {"loop": asyncio.get_running_loop(), "asked": 0}}
        await asyncio.sleep(0)
        self.log.append("closed")


def get(handler, path="/"):
    reply = handler(rest_event("GET", path), LambdaContext())
    return reply["statusCode"], reply["body"]


@pytest.mark.parametrize("protected", [True, False])
def test_what_start_up_opens_is_there_for_every_request(protected):
    opens = Opens(protected=protected)
    handler = lambda_handler(opens.app)
    assert opens.log == ["opened"]
    assert [get(handler) for _ in range(3)] == [(200, "1"), (200, "2"), (200, "3")]
    assert opens.log == ["opened"]
    handler.close()
    assert opens.log == ["opened", "closed"]
    handler.close()
    assert opens.log == ["opened", "closed"]


def test_each_request_has_a_state_of_its_own():
    handler = lambda_handler(Opens().app)
    get(handler)
    assert get(handler, "/state") == (200, "false")
    handler.close()


def test_an_included_routers_start_up_is_run_too():
    began = []

    @asynccontextmanager
    async def of_router(app):
        began.append("router")
        yield

    app, router = FastAPI(), APIRouter(lifespan=of_router)
    app.include_router(router)
    handler = lambda_handler(app)
    assert began == ["router"]
    handler.close()


def test_a_start_up_that_fails_is_raised_where_the_module_is_loaded():
    tries = []

    @asynccontextmanager
    async def fails(app):
        tries.append(1)
        if len(tries) == 1:
            raise OSError("the database isn't there")
        yield

    app = FastAPI(lifespan=fails)

    @app.get("/")
    async def answers():
        return "well"

    with pytest.raises(OSError, match="the database"):
        lambda_handler(app)
    handler = lambda_handler(app)  # as the next environment does
    assert get(handler) == (200, '"well"')
    handler.close()


def test_a_start_up_that_only_says_that_it_failed_is_raised():
    async def app(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no licence"})

    with pytest.raises(StartupError, match="no licence"):
        lambda_handler(app)


def test_a_route_that_cannot_be_guarded_is_found_at_start(monkeypatch):
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "api")
    app = FastAPI(lifespan=Opens().lifespan)
    protect(app, settings=Settings(redis_url="redis://127.0.0.1:1", on_lambda=True))

    @app.post("/orders")
    @policy(idempotent=True, claims="dynamodb")
    async def order():
        return None

    with pytest.raises(ConfigurationError, match="TIDEGATE_TABLE"):
        lambda_handler(app)


def test_an_application_that_knows_no_lifespan_is_served():
    async def app(scope, receive, send):
        if scope["type"] != "http":
            raise TypeError("only HTTP")
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    assert get(lambda_handler(app)) == (204, "")


def test_an_application_without_start_up_gets_none():
    assert not has_lifespan(FastAPI())
    assert has_lifespan(Opens(protected=False).app)


def test_start_up_waits_for_the_first_event_where_a_loop_runs_already():
    opens = Opens()

    async def made():
        return lambda_handler(opens.app)

    loop = asyncio.new_event_loop()
    handler = loop.run_until_complete(made())
    assert opens.log == []
    assert get(handler) == (200, "1")
    handler.close()
    assert opens.log == ["opened", "closed"]
    loop.close()


def test_an_environment_that_is_dropped_tells_of_no_failed_shutdown(log):
    """As where a program imports the handler's module and ends."""
    opens = Opens()
    handler = lambda_handler(opens.app)
    assert get(handler) == (200, "1")
    asyncio.get_event_loop().close()
    del handler
    gc.collect()
    assert opens.log == ["opened"]
    assert "shutdown" not in log.text


def test_a_shutdown_that_hangs_is_left():
    ended = []

    @asynccontextmanager
    async def hangs(app):
        yield
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    loop = asyncio.new_event_loop()
    lifespan = Lifespan(FastAPI(lifespan=hangs), loop)
    lifespan.start()
    lifespan.stop(0.01)
    assert ended == ["cancelled"]
    loop.close()


_SCENE = """
import os, signal
from tests.harness.lambda_events import LambdaContext, rest_event
from tests.http.test_lifespan import Opens
from tidegate import lambda_handler
class Says(Opens):
    log = property(lambda self: self, lambda self, value: None)
    def append(self, word):
        print(word, flush=True)
opens = Says()
handler = lambda_handler(opens.app)
print(handler(rest_event("GET", "/"), LambdaContext())["body"], flush=True)
os.kill(os.getpid(), signal.SIGTERM)
"""


def test_at_sigterm_the_application_closes_what_it_opened():
    variables = {
        "AWS_LAMBDA_FUNCTION_NAME": "shop",
        "AWS_LAMBDA_FUNCTION_VERSION": "7",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run(
        [sys.executable, "-c", _SCENE],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | CREDENTIALS | variables,
    )
    said = [line for line in done.stdout.splitlines() if not line.startswith("{")]
    assert (done.returncode, said) == (-signal.SIGTERM, ["opened", "1", "closed"]), done.stderr
