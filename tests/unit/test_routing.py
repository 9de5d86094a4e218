"""Which policy is whose: the table agrees with what the application itself would run."""

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from tidegate import ConfigurationError, Policy, TokenBucket, policy
from tidegate.routing import UNMATCHED, RouteTable

DEFAULT = Policy(limits=[TokenBucket("1/s")])


def find(app: FastAPI, path: str, method: str = "GET", root_path: str = "") -> tuple[str, str, str | None]:
    """Return the template, the method and the mark of the policy that is found."""
    scope = {"type": "http", "path": path, "method": method, "root_path": root_path, "headers": []}
    found = RouteTable(app, DEFAULT).find(scope)
    return found.route, found.method, mark_of(found.policy)


def mark_of(declared: Policy) -> str | None:
    return None if declared == DEFAULT else declared.limits[0].label


def marked(name: str):
    """A handler that answers its name, with a policy that bears it."""

    async def handler() -> str:
        return name

    return policy(limits=[TokenBucket("1/s", name=name)])(handler)


@pytest.fixture
def app() -> FastAPI:
    return FastAPI()


def test_a_route_has_its_own_policy_and_another_method_another(app):
    app.get("/orders")(marked("list"))
    app.post("/orders")(marked("create"))
    assert find(app, "/orders") == ("/orders", "GET", "list")
    assert find(app, "/orders", "POST") == ("/orders", "POST", "create")


def test_a_route_without_a_policy_has_the_default_under_its_own_name(app):
    @app.get("/plain")
    async def plain() -> None: ...

    assert find(app, "/plain") == ("/plain", "GET", None)


def test_what_matches_no_route_is_limited_under_one_name(app):
    app.get("/orders")(marked("list"))
    for path in ("/nowhere", "/orders/", "/Orders", "", "//orders"):
        assert find(app, path) == (UNMATCHED, UNMATCHED, None)


def test_a_method_that_no_route_takes_is_unmatched(app):
    app.get("/orders/{id}")(marked("read"))
    app.get("/orders")(marked("list"))
    assert find(app, "/orders/7", "DELETE") == find(app, "/orders", "DELETE") == (UNMATCHED, UNMATCHED, None)


def test_a_path_parameter_makes_one_route_of_many_paths(app):
    app.get("/orders/{id}")(marked("read"))
    app.get("/files/{path:path}")(marked("file"))
    app.get("/items/{number:int}")(marked("item"))
    assert find(app, "/orders/7") == find(app, "/orders/8") == ("/orders/{id}", "GET", "read")
    assert find(app, "/files/a/b.txt") == ("/files/{path:path}", "GET", "file")
    assert find(app, "/items/7")[2] == "item"
    assert find(app, "/items/seven")[0] == UNMATCHED
    assert find(app, "/orders/7/8")[0] == UNMATCHED


def test_included_routers_count_with_all_their_prefixes(app):
    inner, outer = APIRouter(prefix="/items"), APIRouter(prefix="/orders/{id}")
    inner.get("/{item}")(marked("item"))
    inner.get("")(marked("items"))
    outer.include_router(inner)
    app.include_router(outer, prefix="/v1")
    assert find(app, "/v1/orders/7/items/8") == ("/v1/orders/{id}/items/{item}", "GET", "item")
    assert find(app, "/v1/orders/7/items") == ("/v1/orders/{id}/items", "GET", "items")


def test_one_router_included_twice_has_two_routes(app):
    router = APIRouter()
    router.get("/a")(marked("a"))
    app.include_router(router, prefix="/v1")
    app.include_router(router, prefix="/v2")
    assert [find(app, f"/{version}/a")[0] for version in ("v1", "v2")] == ["/v1/a", "/v2/a"]


def test_a_mounted_application_keeps_its_policies(app):
    mounted = FastAPI()
    mounted.get("/a/{b}")(marked("inner"))
    app.mount("/admin", mounted)
    assert find(app, "/admin/a/7") == ("/admin/a/{b}", "GET", "inner")
    assert find(app, "/admin/other")[0] == "/admin/{path:path}"
    assert find(app, "/admin/a/7", "DELETE")[0] == "/admin/{path:path}"


def test_a_mount_whose_parameters_are_called_alike_can_be_read(app):
    app.router.routes.append(Mount("/tenants/{id}", routes=[Route("/orders/{id}", marked("order"))]))
    assert find(app, "/tenants/1/orders/2")[2] == "order"


def test_the_stage_in_the_root_path_is_not_part_of_the_route(app):
    app.get("/orders")(marked("list"))
    app.get("/orders/{id}")(marked("read"))
    assert find(app, "/api/orders", root_path="/api")[2] == "list"
    assert find(app, "/api/orders/7", root_path="/api")[2] == "read"
    assert find(app, "/orders/7", root_path="/api")[2] == "read"


def test_a_path_that_only_begins_like_the_root_path_is_read_whole(app):
    app.get("/apiary/{id}")(marked("bees"))
    assert find(app, "/apiary/7", root_path="/api")[2] == "bees"


def test_an_idempotent_policy_above_its_routes_decorator_is_refused(app):
    async def handler() -> None: ...

    app.post("/orders")(handler)
    policy(idempotent=True)(handler)
    with pytest.raises(ConfigurationError, match="write it under the route's decorator") as raised:
        RouteTable(app, DEFAULT)
    assert "/orders" in raised.value.name


def many_ways() -> FastAPI:
    """Routes that overlap: literal after parameter, parameter after literal, one path in two routers, a catch-all."""
    app = FastAPI()
    app.get("/a/{id}")(marked("parameter first"))
    app.get("/a/latest")(marked("literal second"))
    app.get("/b/latest")(marked("literal first"))
    app.get("/b/{id}")(marked("parameter second"))
    app.get("/c")(marked("first of two"))
    app.get("/c")(marked("second of two"))
    app.post("/d/{id}")(marked("another method"))
    app.get("/d/{id}")(marked("this method"))
    router = APIRouter(prefix="/e")
    router.get("/{id}")(marked("in a router"))
    app.include_router(router)
    app.get("/e/latest")(marked("after the router"))
    app.mount("/f", Starlette(routes=[Route("/in", lambda _: PlainTextResponse('"mounted"'))]))
    app.get("/f/in")(marked("behind a mount"))
    app.get("/{rest:path}")(marked("everything else"))
    return app


@pytest.mark.anyio
@pytest.mark.parametrize(
    "path",
    ["/a/7", "/a/latest", "/b/latest", "/b/7", "/c", "/d/7", "/e/7", "/e/latest", "/f/in", "/x", "/a/7/8", "/c/"],
)
async def test_the_policy_is_the_one_of_the_handler_that_answers(path):
    app = many_ways()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client:
        answered = (await client.get(path)).json()
    assert find(app, path)[2] == (None if answered == "mounted" else answered)
