"""Nobody gets what was made under another's credential, however the application learns who asks."""

from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Request
from fastapi.security import HTTPBearer
from starlette.testclient import TestClient

from tests.http.own_authentication import ANN, BOB, WAYS, WRONG, Shown, Till
from tidegate import TokenBucket, policy, protect

KEY = {"idempotency-key": '"order-1"'}
REFUSED = {401, 403}


@pytest.fixture(params=WAYS)
def way(request):
    return WAYS[request.param]


@pytest.fixture
def till(way):
    return Till(way)


@pytest.fixture
def api(run, memory, till):
    return run(till.app, memory)


def order(api, shown, n=1):
    return api.post("/orders" + shown.query, headers={**KEY, **shown.headers}, json={"n": n})


def get(api, path, shown):
    return api.get(path + shown.query, headers=shown.headers)


def test_a_retry_of_the_same_caller_is_replayed(api, way, till):
    first, again = order(api, way.shown(ANN)), order(api, way.shown(ANN))
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.content == first.content
    assert till.runs == ["ann"]


def test_another_valid_credential_gets_no_answer_of_the_first(api, way, till):
    order(api, way.shown(ANN))
    other = order(api, way.shown(BOB))
    assert other.status_code == 422
    assert b"ann" not in other.content
    assert till.runs == ["ann"], "and the handler doesn't run for a used key"
    assert order(api, way.shown(ANN)).headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize("shown", ["wrong", "none"])
def test_who_is_not_let_in_is_refused_by_the_application(api, way, till, shown):
    order(api, way.shown(ANN))
    other = order(api, way.shown(WRONG) if shown == "wrong" else Shown())
    assert other.status_code in REFUSED
    assert b"ann" not in other.content
    assert till.runs == ["ann"]


def test_validation_comes_before_a_replay_as_before_a_run(api, way, till):
    order(api, way.shown(ANN))
    shown = way.shown(ANN)
    wrong = api.post("/orders" + shown.query, headers={**KEY, **shown.headers}, json={"n": "many"})
    assert wrong.status_code == 422
    assert wrong.json()["type"] == "urn:tidegate:problem:invalid-request"


@pytest.mark.parametrize("path", ["/orders", "/shared"])
def test_a_copy_is_its_callers_alone(api, way, till, path):
    first, again = get(api, path, way.shown(ANN)), get(api, path, way.shown(ANN))
    assert first.json()["by"] == again.json()["by"] == "ann"
    assert "hit" in again.headers["cache-status"]
    other = get(api, path, way.shown(BOB))
    assert (other.status_code, other.json()["by"]) == (200, "bob")
    for shown in (way.shown(WRONG), Shown()):
        refused = get(api, path, shown)
        assert refused.status_code in REFUSED
        assert b"ann" not in refused.content


# ── a principal that expresses the credential ─────────────────────────────────────────────────────────────────────────


def by_name(scope):
    """Read whose token it is, as from a JWT's subject."""
    token = dict(scope["headers"]).get(b"authorization", b"").decode().removeprefix("Bearer ")
    return f"user:{token.partition('-')[0]}" if token else "ip:192.0.2.1"


def shop(runs):
    app = FastAPI()

    @app.post("/orders")
    @policy(limits=[TokenBucket("1000/s")], idempotent=True)
    async def order(body: dict[str, int], token: Annotated[Any, Depends(HTTPBearer())]):
        runs.append(token.credentials)
        return {"run": len(runs), "token": token.credentials}

    return app


def test_a_refreshed_token_of_a_named_caller_is_replayed(run, memory):
    runs = []
    api = run(shop(runs), memory, identify=by_name)
    first, again, other = (order(api, Shown({"authorization": f"Bearer {t}"})) for t in ("ann-1", "ann-2", "bob-1"))
    assert again.headers["idempotent-replayed"] == "true"
    assert again.content == first.content
    assert other.json() == {"run": 2, "token": "bob-1"}, "another's key is another key"


def test_a_refreshed_token_of_an_unnamed_caller_never_runs_again(run, memory):
    runs = []
    api = run(shop(runs), memory)
    answers = [order(api, Shown({"authorization": f"Bearer {token}"})) for token in ("ann-1", "ann-2")]
    assert [answer.status_code for answer in answers] == [200, 422]
    assert runs == ["ann-1"]


def test_an_authorizers_caller_is_the_same_with_a_refreshed_token(deploy, memory):
    runs = []
    api = deploy(shop(runs), memory)

    def ordered(token, user):
        return api.request(
            "POST",
            "/orders",
            headers={**KEY, "authorization": f"Bearer {token}"},
            json={"n": 1},
            authorizer={"principalId": user},
        )

    assert ordered("ann-2", "ann").content == ordered("ann-1", "ann").content
    assert ordered("bob-1", "bob").json()["run"] == 2


def test_users_who_share_a_gateways_key_get_nothing_of_each_other(deploy, memory):
    runs = []
    api = deploy(shop(runs), memory)
    sent = {"json": {"n": 1}, "key": "the-apps-key"}
    first = api.post("/orders", headers={**KEY, "authorization": "Bearer ann-1"}, **sent)
    other = api.post("/orders", headers={**KEY, "authorization": "Bearer bob-1"}, **sent)
    again = api.post("/orders", headers={**KEY, "authorization": "Bearer ann-1"}, **sent)
    assert [first.status_code, other.status_code, again.status_code] == [200, 422, 200]
    assert runs == ["ann-1"]


def test_what_requests_differ_in_by_nature_is_no_credential(run, memory):
    runs = []
    api = run(shop(runs), memory)
    ann = {"authorization": "Bearer ann-1"}
    order(api, Shown({**ann, "x-request-id": "1", "traceparent": "00-1", "user-agent": "a", "cookie": "AWSALB=x1"}))
    again = order(api, Shown({**ann, "x-request-id": "2", "traceparent": "00-2", "cookie": "AWSALB=x2; csrftoken=q"}))
    assert again.headers["idempotent-replayed"] == "true"


def test_a_field_that_is_named_as_a_credential_is_one(run, memory):
    app = FastAPI()

    @app.post("/orders")
    @policy(limits=[TokenBucket("1000/s")], idempotent=True)
    async def order_by_desk(request: Request, body: dict[str, int]):
        return {"for": request.headers["x-desk"]}

    api = run(app, memory, credentials=["X-Desk"])
    answers = [order(api, Shown({"x-desk": desk})) for desk in ("1", "2", "1")]
    assert [answer.status_code for answer in answers] == [200, 422, 200]


def test_at_start_it_is_said_that_identify_is_missing(memory, closing, log):
    app = shop([])
    closing.callback(protect(app, settings=memory).close)
    with TestClient(app):
        assert "protect(app, identify=" in log.text
        assert "POST /orders" in log.text


@pytest.mark.parametrize("case", ["named", "open"])
def test_nothing_is_said_where_nothing_is_missing(memory, closing, log, case):
    app = shop([]) if case == "named" else FastAPI()
    closing.callback(protect(app, settings=memory, identify=by_name if case == "named" else None).close)
    with TestClient(app):
        assert "identify=" not in log.text


def test_a_session_of_any_content_tells_callers_apart(run, memory):
    app = shop_of_sessions({1: "ann", "desk": 1}, {1: "bob", "desk": 1}, {1: "ann", "desk": 1})
    api = run(app, memory)
    answers = [order(api, Shown()) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 422, 200]


def shop_of_sessions(*sessions):
    """An application whose middleware, of another library, finds these sessions one after the other."""
    app, left = FastAPI(), list(sessions)

    class Sessions:
        def __init__(self, app):
            self.app = app

        async def __call__(self, scope, receive, send):
            await self.app({**scope, "session": left.pop(0)} if scope["type"] == "http" else scope, receive, send)

    @app.post("/orders")
    @policy(limits=[TokenBucket("1000/s")], idempotent=True)
    async def order_by_session(request: Request, body: dict[str, int]):
        return {"for": request.session["desk"]}

    app.add_middleware(Sessions)
    return app
