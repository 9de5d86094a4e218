"""The documented examples of slowapi, fastapi-limiter, limits and fastapi-redis-sdk's limits."""

from collections.abc import Awaitable, Callable

import anyio
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.testclient import TestClient

from tests.docs.migrating.documented import Documented, statuses
from tidegate import Policy, Settings, SlidingWindow, TokenBucket, policy, protect

ONE_A_MINUTE = Policy(limits=(TokenBucket("1/min"),))


def by_address(settings: Settings) -> None:
    app = FastAPI()
    protect(app, settings=settings)

    @app.get("/home")
    @policy(limits=[TokenBucket("5/min")])
    async def home() -> str:
        return "test"

    assert statuses(app, *["/home"] * 6) == [200] * 5 + [429]


def on_redis(settings: Settings) -> None:
    app = FastAPI()
    gate = protect(app, settings=settings)

    @app.get("/home")
    @policy(limits=[TokenBucket("5/min")])
    async def home() -> str:
        return "test"

    try:
        assert statuses(app, *["/home"] * 6) == [200] * 5 + [429]
    finally:
        gate.close()


def default_for_all(settings: Settings) -> None:
    app = FastAPI()
    protect(app, settings=settings, default=ONE_A_MINUTE)

    async def homepage(request: Request) -> PlainTextResponse:
        return PlainTextResponse("Only once per minute")

    app.add_route("/home", homepage)
    assert statuses(app, "/home", "/home") == [200, 429]


def exempted(settings: Settings) -> None:
    app = FastAPI()
    protect(app, settings=settings, default=ONE_A_MINUTE)

    @app.get("/someroute")
    @policy()
    async def unlimited() -> str:
        return "I'm unlimited"

    assert statuses(app, *["/someroute"] * 3) == [200] * 3


def switched_off(_: Settings) -> None:
    app = FastAPI()  # not protected: that is all

    @app.get("/home")
    @policy(limits=[TokenBucket("1/min")])
    async def home() -> str:
        return "test"

    assert statuses(app, "/home", "/home") == [200, 200]


def switched_at_run_time(settings: Settings) -> None:
    app = FastAPI()
    enabled = [True]
    protect(app, settings=settings)

    @app.get("/home")
    @policy(limits=[TokenBucket("1/min", cost=lambda _: int(enabled[0]))])
    async def home() -> str:
        return "test"

    assert statuses(app, "/home", "/home") == [200, 429]
    enabled[0] = False
    assert statuses(app, "/home", "/home") == [200, 200]


def by_size(settings: Settings) -> None:
    app = FastAPI()
    protect(app, settings=settings)

    @app.get("/someroute")
    @policy(limits=[TokenBucket("100/min", cost=lambda scope: len(scope["query_string"]))])
    async def sized() -> str:
        return "I'm limited by the request size"

    assert statuses(app, "/someroute?" + "a" * 60, "/someroute?" + "a" * 60, "/someroute?a") == [200, 429, 200]


def by_template(settings: Settings) -> None:
    app = FastAPI()
    protect(app, settings=settings, identify=lambda _: "user:mock", default=ONE_A_MINUTE)

    @app.get("/some_route/{some_param}")
    async def route(some_param: str) -> str:
        return some_param

    assert statuses(app, "/some_route/a", "/some_route/b") == [200, 429]


def by_url(settings: Settings) -> None:
    app = FastAPI()
    protect(app, settings=settings, identify=lambda scope: f"user:mock {scope['path']}", default=ONE_A_MINUTE)

    @app.get("/some_route/{some_param}")
    async def route(some_param: str) -> str:
        return some_param

    assert statuses(app, "/some_route/a", "/some_route/b", "/some_route/a") == [200, 200, 429]


def two_in_five_seconds(settings: Settings) -> None:
    app = FastAPI()
    protect(app, settings=settings)

    @app.get("/")
    @policy(limits=[TokenBucket("2/5s")])
    async def index() -> dict[str, str]:
        return {"msg": "Hello World"}

    assert statuses(app, "/", "/", "/") == [200, 200, 429]


def by_own_identifier(settings: Settings) -> None:
    app = FastAPI()
    protect(
        app, settings=settings, identify=lambda scope: "user:" + dict(scope["headers"]).get(b"x-user", b"").decode()
    )

    @app.get("/")
    @policy(limits=[TokenBucket("1/min")])
    async def index() -> str:
        return "test"

    ada, bob = {"x-user": "ada"}, {"x-user": "bob"}
    assert statuses(app, "/", "/", headers=ada) == [200, 429]
    assert statuses(app, "/", headers=bob) == [200]


def own_refusal(settings: Settings) -> None:
    app = FastAPI()
    protect(app, settings=settings, default=ONE_A_MINUTE)

    @app.middleware("http")
    async def refused(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await go_on(request)
        if response.status_code != 429:
            return response
        return JSONResponse({"detail": "Too Many Requests"}, 429, {"Retry-After": response.headers["retry-after"]})

    @app.get("/")
    async def index() -> str:
        return "test"

    with TestClient(app) as client:
        client.get("/")
        answer = client.get("/")
    assert answer.json() == {"detail": "Too Many Requests"}
    assert int(answer.headers["retry-after"]) > 0


def several(settings: Settings) -> None:
    app = FastAPI()
    protect(app, settings=settings)

    @app.get("/multiple")
    @policy(limits=[TokenBucket("1/5s"), TokenBucket("2/15s")])
    async def multiple() -> dict[str, str]:
        return {"msg": "Hello World"}

    assert statuses(app, "/multiple", "/multiple") == [200, 429]


def moving_window(settings: Settings) -> None:
    app = FastAPI()
    protect(app, settings=settings, identify=lambda scope: "user:" + scope["query_string"].decode())

    @app.get("/hit")
    @policy(limits=[SlidingWindow("1/min")])
    async def hit() -> bool:
        return True

    assert statuses(app, "/hit?foo", "/hit?foo", "/hit?bar") == [200, 429, 200]


def looked_at(settings: Settings) -> None:
    app = FastAPI()
    gate = protect(app, settings=settings, identify=lambda _: "user:foo")

    @app.get("/hit")
    @policy(limits=[SlidingWindow("1/min")])
    async def hit() -> bool:
        return True

    def allowed() -> bool:
        return anyio.run(gate.peek, "user:foo", "GET", "/hit")[0].allowed

    assert allowed()
    assert allowed()
    assert statuses(app, "/hit") == [200]
    assert not allowed()


LIMITERS = [
    Documented(peer="slowapi", shows="limit a route by address", rewritten=by_address),
    Documented(peer="slowapi", shows="a default limit for all routes", rewritten=default_for_all),
    Documented(peer="slowapi", shows="exempt a route", rewritten=exempted),
    Documented(peer="slowapi", shows="disable the limiter entirely", rewritten=switched_off),
    Documented(peer="slowapi", shows="switch it at run time", rewritten=switched_at_run_time),
    Documented(peer="slowapi", shows="a cost for each hit", rewritten=by_size),
    Documented(peer="slowapi", shows="pure ASGI middleware", rewritten=default_for_all),
    Documented(peer="slowapi", shows="key_style=endpoint", rewritten=by_template),
    Documented(peer="slowapi", shows="key_style=url", rewritten=by_url),
    Documented(peer="slowapi", shows="Redis as the backend", rewritten=on_redis),
    Documented(peer="fastapi-limiter", shows="quick start", rewritten=two_in_five_seconds),
    Documented(peer="fastapi-limiter", shows="an own identifier", rewritten=by_own_identifier),
    Documented(peer="fastapi-limiter", shows="an own callback", rewritten=own_refusal),
    Documented(peer="fastapi-limiter", shows="several limiters", rewritten=several),
    Documented(
        peer="fastapi-limiter",
        shows="limit a websocket's messages",
        instead="a websocket's handshake is limited, its messages aren't",
    ),
    Documented(peer="limits", shows="a moving window", rewritten=moving_window),
    Documented(peer="limits", shows="test without hitting", rewritten=looked_at),
    Documented(peer="fastapi-redis-sdk", shows="rate_limit", rewritten=by_address),
    Documented(peer="fastapi-redis-sdk", shows="an own identifier", rewritten=by_own_identifier),
    Documented(peer="fastapi-redis-sdk", shows="a global limiter", rewritten=default_for_all),
]
