"""One policy for all below a path, or for a router by a dependency: the most specific counts, and is said at start."""

import pytest
from fastapi import APIRouter, Depends, FastAPI, WebSocket
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient, WebSocketDenialResponse

from tests.http.faces import statuses
from tidegate import Admitted, ConfigurationError, Policy, TokenBucket, limited, policy, protect

TWICE = Policy(limits=[TokenBucket("2/d", name="admin", shared=True)])
ONCE = Policy(limits=[TokenBucket("1/d", name="audit")])


def administration():
    app = FastAPI()
    admin = APIRouter(prefix="/admin")

    @admin.get("/users")
    async def users():
        return "users"

    @admin.get("/keys")
    async def keys():
        return "keys"

    @admin.get("/own")
    @policy(limits=[TokenBucket("3/d")])
    async def own():
        return "own"

    @admin.get("/audit/log")
    async def audit():
        return "log"

    @app.get("/administer")
    async def other():
        return "other"

    app.include_router(admin)
    app.mount("/admin/mounted", Starlette(routes=[Route("/it", lambda _: PlainTextResponse("it"))]))
    return app


BY_PATH = {"/admin": TWICE, "/admin/audit": ONCE}


@pytest.mark.parametrize("redis", [True, False], ids=["redis", "dynamodb"])
def test_one_policy_holds_for_all_below_a_path(run, stores, redis):
    settings = stores.settings() if redis else stores.settings(redis_url=None)
    api = run(administration(), settings, policies=BY_PATH)
    paths = ["/admin/users", "/admin/keys", "/admin/users", "/admin/mounted/it", "/admin/none"]
    assert statuses([api.get(path, key="ada") for path in paths]) == [200, 200, 429, 429, 429]
    assert api.get("/administer", key="ada").status_code == 200


def test_the_most_specific_policy_counts_alone(run, memory):
    api = run(administration(), memory, policies=BY_PATH)
    assert statuses([api.get("/admin/own", key="ada") for _ in range(4)]) == [200, 200, 200, 429]
    assert statuses([api.get("/admin/audit/log", key="ada") for _ in range(2)]) == [200, 429]


def test_policies_by_path_are_said_at_start(run, memory, log):
    run(administration(), memory, policies={**BY_PATH, "/gone": ONCE}).get("/administer")
    said = {line["path"]: line for line in log.all if "path" in line}
    assert said["/admin"]["routes"] == [
        "/admin/keys",
        "/admin/mounted/it",
        "/admin/mounted/{path:path}",
        "/admin/users",
    ]
    assert said["/admin/audit"]["routes"] == ["/admin/audit/log"]
    assert said["/gone"]["message"] == "a policy by path has no route"


@pytest.mark.parametrize(
    "wrong",
    [
        {"admin": ONCE},
        {"/admin/": ONCE},
        {"/": ONCE},
        {"/admin": Policy(idempotent=True)},
        {"/a": Policy(coalesce=True)},
    ],
)
def test_a_policy_by_path_that_can_not_hold_is_refused(memory, wrong):
    with pytest.raises(ConfigurationError, match="policies"):
        protect(FastAPI(), settings=memory, policies=wrong)


# ── by a dependency ───────────────────────────────────────────────────────────────────────────────────────────────────


def by_dependency():
    app = FastAPI()
    router = APIRouter(prefix="/r", dependencies=[Depends(limited("2/d"))])

    @router.get("/plain")
    async def plain(admitted: Admitted):
        return admitted.route

    @router.get("/nearer", dependencies=[Depends(limited("1/d"))])
    async def nearer():
        return "nearer"

    @router.get("/decorated")
    @policy(limits=[TokenBucket("3/d")])
    async def decorated():
        return "decorated"

    app.include_router(router)
    return app


def test_a_dependency_limits_as_the_decorator_does(run, stores):
    api = run(by_dependency(), stores.settings())
    answers = [api.get("/r/plain", key="ada") for _ in range(3)]
    assert statuses(answers) == [200, 200, 429]
    assert answers[0].json() == "/r/plain"
    assert answers[0].headers["ratelimit-policy"] == '"2/d";q=2;w=86400'
    assert answers[2].json()["violated-policies"] == ["2/d"]


def test_the_nearest_dependency_or_the_decorator_counts(run, memory, log):
    api = run(by_dependency(), memory)
    assert statuses([api.get("/r/nearer", key="ada") for _ in range(2)]) == [200, 429]
    assert statuses([api.get("/r/decorated", key="ada") for _ in range(4)]) == [200, 200, 200, 429]
    [said] = [line for line in log.all if line["message"] == "limits of a dependency are replaced"]
    assert said["routes"] == ["/r/decorated", "/r/nearer"]
    assert "isn't in force" not in log.text


def test_a_websockets_handshake_is_limited_by_a_dependency(memory, closing):
    app = FastAPI()

    @app.websocket("/live", dependencies=[Depends(limited("1/d"))])
    async def live(socket: WebSocket, admitted: Admitted):
        await socket.accept()
        await socket.send_text(admitted.route)
        await socket.close()

    closing.callback(protect(app, settings=memory).close)
    with TestClient(app) as api:
        with api.websocket_connect("/live") as socket:
            assert socket.receive_text() == "/live"
        with pytest.raises(WebSocketDenialResponse) as refused, api.websocket_connect("/live"):
            pass
        assert refused.value.status_code == 429


def test_a_dependency_on_an_unprotected_application_warns_once(log):
    app = by_dependency()
    with TestClient(app, raise_server_exceptions=False) as api:
        assert [api.get("/r/nearer").status_code for _ in range(2)] == [200, 200]
        assert api.get("/r/plain").status_code == 500
    assert log.text.count("a policy isn't in force") == 2, "once for each dependency"


@pytest.mark.parametrize("wrong", [{"idempotent": True}, {"cache": None}, {"overflow": "queue"}])
def test_what_a_dependency_can_not_hold_is_refused_when_declared(wrong):
    with pytest.raises(ConfigurationError, match="write @policy"):
        limited("1/s", **wrong)
