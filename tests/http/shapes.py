"""The shapes that an application may have around one handler with a policy."""

import contextlib
import functools
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, FastAPI, Request, WebSocket
from fastapi import routing as fastapi_routing
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.routing import APIRoute
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import JSONResponse
from starlette.routing import Host, Match, Mount, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

Declare = Callable[[Any], Any]
Shape = Callable[[Declare, list[int]], tuple[FastAPI, str]]


def counting(runs: list[int]) -> Any:
    async def handler(request: Request) -> JSONResponse:
        runs.append(1)
        return JSONResponse(len(runs))

    return handler


def plain(declare: Declare, runs: list[int]) -> tuple[FastAPI, str]:
    app = FastAPI()
    app.post("/pay")(declare(counting(runs)))
    return app, "/pay"


def a_blocking_handler(declare: Declare, runs: list[int]) -> tuple[FastAPI, str]:
    app = FastAPI()

    def handler() -> int:
        runs.append(1)
        return len(runs)

    app.post("/pay")(declare(handler))
    return app, "/pay"


def a_websocket_of_the_same_path_before(declare: Declare, runs: list[int]) -> tuple[FastAPI, str]:
    app = FastAPI()

    @app.websocket("/pay")
    async def socket(socket: WebSocket) -> None:
        await socket.accept()

    app.post("/pay")(declare(counting(runs)))
    return app, "/pay"


def a_router_of_the_lifespan(declare: Declare, runs: list[int]) -> tuple[FastAPI, str]:
    router = APIRouter()
    router.post("/pay")(declare(counting(runs)))

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> Any:
        app.include_router(router)
        yield

    return FastAPI(lifespan=lifespan), "/pay"


def a_router_after_the_first_request(declare: Declare, runs: list[int]) -> tuple[FastAPI, str]:
    app, router = FastAPI(), APIRouter(prefix="/late")
    router.post("/pay")(declare(counting(runs)))

    @app.get("/grow")
    async def grow() -> None:
        app.include_router(router)

    return app, "/late/pay"


def a_route_that_an_included_router_gets_later(declare: Declare, runs: list[int]) -> tuple[FastAPI, str]:
    app, router = FastAPI(), APIRouter(prefix="/late")
    router.get("/other")(lambda: None)
    app.include_router(router)

    @app.get("/grow")
    async def grow() -> None:
        router.post("/pay")(declare(counting(runs)))

    return app, "/late/pay"


def a_mount_within_a_middleware(declare: Declare, runs: list[int]) -> tuple[FastAPI, str]:
    app, sub = FastAPI(), FastAPI()
    sub.post("/pay")(declare(counting(runs)))
    app.mount("/s", CORSMiddleware(GZipMiddleware(sub), allow_origins=["*"]))
    return app, "/s/pay"


def a_mount_with_a_middleware_of_its_own(declare: Declare, runs: list[int]) -> tuple[FastAPI, str]:
    app = FastAPI()
    routes = [Route("/pay", declare(counting(runs)), methods=["POST"])]
    app.router.routes.append(Mount("/s", routes=routes, middleware=[Middleware(GZipMiddleware)]))
    return app, "/s/pay"


def a_mounted_router(declare: Declare, runs: list[int]) -> tuple[FastAPI, str]:
    app = FastAPI()
    app.mount("/s", Router([Route("/pay", declare(counting(runs)), methods=["POST"])]))
    return app, "/s/pay"


def a_method_of_a_class(declare: Declare, runs: list[int]) -> tuple[FastAPI, str]:
    handler = counting(runs)

    class Payments(HTTPEndpoint):
        @declare
        async def post(self, request: Request) -> JSONResponse:
            return await handler(request)  # type: ignore[no-any-return]

    app = FastAPI()
    app.router.routes.append(Route("/pay", Payments))
    return app, "/pay"


def a_bound_method(declare: Declare, runs: list[int]) -> tuple[FastAPI, str]:
    class Payments:
        @declare
        async def pay(self) -> int:
            runs.append(1)
            return len(runs)

    app = FastAPI()
    app.add_api_route("/pay", Payments().pay, methods=["POST"])
    return app, "/pay"


def a_callable_object(declare: Declare, runs: list[int]) -> tuple[FastAPI, str]:
    class Payments:
        @declare
        async def __call__(self) -> int:
            runs.append(1)
            return len(runs)

    app = FastAPI()
    app.add_api_route("/pay", Payments(), methods=["POST"])
    return app, "/pay"


def an_object_with_a_policy(declare: Declare, runs: list[int]) -> tuple[FastAPI, str]:
    class Payments:
        async def __call__(self) -> int:
            runs.append(1)
            return len(runs)

    app = FastAPI()
    app.add_api_route("/pay", declare(Payments()), methods=["POST"])
    return app, "/pay"


def a_partial(declare: Declare, runs: list[int]) -> tuple[FastAPI, str]:
    @declare
    def pay(request: Request, step: int) -> JSONResponse:
        runs.append(step)
        return JSONResponse(len(runs))

    app = FastAPI()
    app.router.routes.append(Route("/pay", functools.partial(pay, step=1), methods=["POST"]))
    return app, "/pay"


def a_host(declare: Declare, runs: list[int]) -> tuple[FastAPI, str]:
    app, other, sub = FastAPI(), FastAPI(), FastAPI()
    other.post("/pay")(counting([]))
    sub.post("/pay")(declare(counting(runs)))
    app.router.routes.append(Host("elsewhere.test", app=other))
    app.router.routes.append(Host("{name:path}", app=sub))
    return app, "/pay"


def a_host_that_is_an_address(declare: Declare, runs: list[int]) -> tuple[FastAPI, str]:
    app, sub = FastAPI(), FastAPI()
    sub.post("/pay")(declare(counting(runs)))
    app.mount("/s", Router([Host("elsewhere.test", app=FastAPI()), Host("[::1]", app=sub)]))
    return app, "http://[::1]:8080/s/pay"


def a_mount_that_is_empty_at_first(declare: Declare, runs: list[int]) -> tuple[FastAPI, str]:
    app, sub = FastAPI(), Starlette()
    app.mount("/s", GZipMiddleware(sub))

    @app.get("/grow")
    async def grow() -> None:
        sub.router.routes.append(Route("/pay", declare(counting(runs)), methods=["POST"]))

    return app, "/s/pay"


def a_route_in_the_place_of_another(declare: Declare, runs: list[int]) -> tuple[FastAPI, str]:
    app, _ = plain(lambda handler: handler, [])

    @app.get("/grow")
    async def grow() -> None:
        app.router.routes.pop(-2)
        app.post("/pay")(declare(counting(runs)))

    return app, "/pay"


def routes_in_the_place_of_others(declare: Declare, runs: list[int]) -> tuple[FastAPI, str]:
    app, _ = plain(lambda handler: handler, [])

    @app.get("/grow")
    async def grow() -> None:
        app.router.routes = [Route("/pay", declare(counting(runs)), methods=["POST"])]

    return app, "/pay"


def a_route_class(declare: Declare, runs: list[int]) -> tuple[FastAPI, str]:
    class Own(APIRoute):
        def get_route_handler(self) -> Any:
            handle = super().get_route_handler()

            async def handled(request: Request) -> Any:
                return await handle(request)

            return handled

    app, router = FastAPI(), APIRouter(route_class=Own, prefix="/{shop}")
    router.post("/pay")(declare(counting(runs)))
    app.include_router(router, prefix="/v1")
    return app, "/v1/ours/pay"


class _Versioned(APIRoute):
    """Matches requests of one version, as a header says it."""

    version = b"1"

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        asked = dict(scope["headers"]).get(b"x-version", b"2")
        return super().matches(scope) if asked == self.version else (Match.NONE, {})


class _SecondVersion(_Versioned):
    version = b"2"


def routes_that_match_by_a_header(declare: Declare, runs: list[int]) -> tuple[FastAPI, str]:
    app = FastAPI()
    for version, handler in ((_Versioned, counting([])), (_SecondVersion, declare(counting(runs)))):
        router = APIRouter(route_class=version)
        router.post("/{till}/pay")(handler)
        app.include_router(router, prefix="/{shop}")
    return app, "/ours/first/pay"


class _Renamed:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/renamed":
            scope = {**scope, "path": "/pay", "raw_path": b"/pay"}
        await self.app(scope, receive, send)


def a_middleware_that_renames_paths(declare: Declare, runs: list[int]) -> tuple[FastAPI, str]:
    app, _ = plain(declare, runs)
    app.add_middleware(_Renamed)
    return app, "/renamed"


def a_middleware_that_renames_below_a_mount(declare: Declare, runs: list[int]) -> tuple[FastAPI, str]:
    sub, _ = plain(declare, runs)

    class Below(_Renamed):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await self.app({**scope, "path": "/s/pay", "raw_path": b"/s/pay"}, receive, send)

    app = FastAPI()
    app.mount("/s", Below(sub))
    return app, "/s/anything"


def a_dispatcher_that_hides_its_applications(declare: Declare, runs: list[int]) -> tuple[FastAPI, str]:
    sub, _ = plain(declare, runs)

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        await sub(scope, receive, send)

    app = FastAPI()
    app.mount("/s", dispatch)
    return app, "/s/pay"


def a_decorator_that_hides_the_handler(declare: Declare, runs: list[int]) -> tuple[FastAPI, str]:
    handler = declare(counting(runs))

    async def hiding(request: Request) -> Any:
        return await handler(request)

    app = FastAPI()
    app.post("/pay")(hiding)
    return app, "/pay"


def a_handler_that_calls_another(declare: Declare, runs: list[int]) -> tuple[FastAPI, str]:
    app, _ = plain(declare, runs)
    handler = app.routes[-1].endpoint  # type: ignore[attr-defined]

    @app.post("/both")
    async def both(request: Request) -> Any:
        return await handler(request)

    return app, "/both"


def base_http_middlewares_around_it(declare: Declare, runs: list[int]) -> tuple[FastAPI, str]:
    async def through(request: Request, call_next: Any) -> Any:
        return await call_next(request)

    app, _ = plain(declare, runs)
    app.add_middleware(BaseHTTPMiddleware, dispatch=through)
    sub = Starlette(routes=[Route("/pay", declare(counting(runs)), methods=["POST"])])
    sub.add_middleware(BaseHTTPMiddleware, dispatch=through)
    app.mount("/s", sub)
    return app, "/s/pay"


SHAPES: dict[str, Shape] = {
    shape.__name__: shape
    for shape in (
        plain,
        a_blocking_handler,
        a_websocket_of_the_same_path_before,
        a_router_of_the_lifespan,
        a_router_after_the_first_request,
        a_route_that_an_included_router_gets_later,
        a_mount_within_a_middleware,
        a_mount_with_a_middleware_of_its_own,
        a_mounted_router,
        a_method_of_a_class,
        a_bound_method,
        a_callable_object,
        an_object_with_a_policy,
        a_partial,
        a_host,
        a_host_that_is_an_address,
        a_mount_that_is_empty_at_first,
        a_route_in_the_place_of_another,
        routes_in_the_place_of_others,
        a_route_class,
        routes_that_match_by_a_header,
        a_middleware_that_renames_paths,
        base_http_middlewares_around_it,
    )
}
if not hasattr(
    fastapi_routing, "iter_route_contexts"
):  # before it FastAPI copies a router's routes when it includes it
    del SHAPES[a_route_that_an_included_router_gets_later.__name__]
_ANOTHER_ADDRESS: Scope = {"type": "http", "headers": [(b"host", b"[::2]:8080")]}
if Host("[::1]", app=FastAPI()).matches(_ANOTHER_ADDRESS)[0] is not Match.NONE:  # before, a colon ended it
    del SHAPES[a_host_that_is_an_address.__name__]
# The route table can't see through these: what they hide is refused.
HIDING: dict[str, Shape] = {
    shape.__name__: shape
    for shape in (
        a_middleware_that_renames_below_a_mount,
        a_dispatcher_that_hides_its_applications,
        a_decorator_that_hides_the_handler,
        a_handler_that_calls_another,
    )
}
