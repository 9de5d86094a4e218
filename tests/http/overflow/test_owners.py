"""Whose a queued request is: behind one address or one API key, who asked for it under the same credentials."""

import contextlib
from dataclasses import replace
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.security import APIKeyHeader, APIKeyQuery, HTTPBearer

from tests.http.faces import Function, Server
from tests.http.overflow.exports import AMPLE, KEY
from tidegate import Caller, TokenBucket, policy, protect
from tidegate.digests import digest

pytestmark = pytest.mark.slow

ONE_A_MINUTE = TokenBucket("1/min", burst=1, name="exports", shared=True, per="route")
NOT_FOUND = (404, "urn:tidegate:problem:request-not-found")

in_field = APIKeyHeader(name="X-Shop", auto_error=False)
in_query = APIKeyQuery(name="shop", auto_error=False)


class Shop:
    """An application that knows its callers by itself; Tidegate knows their address, or one API key of them all."""

    def __init__(self, settings, limit, **options):
        self.app, self.ran = FastAPI(), []
        self.gate = protect(self.app, settings=settings, requests="/v1/requests", **options)

        @self.app.post("/exports", status_code=201)
        @policy(limits=[limit], overflow="queue")
        async def export(
            body: dict[str, int],
            request: Request,
            field: Annotated[str | None, Depends(in_field)],
            parameter: Annotated[str | None, Depends(in_query)],
        ):
            admission = request.state.tidegate
            self.ran.append((admission.queued, field or parameter))
            return {"n": body["n"]}


@pytest.fixture(params=[Server, Function])
def face(request):
    return request.param


@pytest.fixture
def new_shop(stores, queues, face, closing):
    urls = {"queue_url": queues.requests, "dead_letter_url": queues.dead_letters}
    settings = stores.settings(on_lambda=face is Function, **urls)

    def made(limit=ONE_A_MINUTE, **options):
        shop = Shop(replace(settings), limit, **options)
        closing.callback(shop.gate.close)
        return shop

    return made


@pytest.fixture
def serving(face, closing):
    """`serving(shop)`: its API, whose limit is used up."""

    def made(shop):
        api = closing.enter_context(contextlib.closing(face(shop.app)))
        assert api.post("/exports", json={"n": 0}).status_code == 201
        return api

    return made


def by(**fields):
    return {"headers": fields}


# Who asks, and who else is behind the same address or key: fields, query, API key.
SENT = [
    (by(authorization="Bearer ann"), by(authorization="Bearer bob"), by()),
    (by(authorization="Basic YW5uOmE="), by(authorization="Basic Ym9iOmI="), by(cookie="session=ann-ann-ann")),
    (by(cookie="session=ann-ann-ann"), by(cookie="session=bob-bob-bob"), by()),
    (by(**{"x-auth-token": "ann"}), by(**{"x-auth-token": "bob"}), by(authorization="ann")),
    (by(**{"x-shop": "ann"}), by(**{"x-shop": "bob"}), by()),
    (by(**{"x-pin": "ann"}), by(**{"x-pin": "bob"}), by()),
    (by(**{"x-amzn-oidc-identity": "ann"}), by(**{"x-amzn-oidc-identity": "bob"}), by()),
    ({"query": "?shop=ann"}, {"query": "?shop=bob"}, {}),
    ({"query": "?access_token=ann"}, {"query": "?access_token=bob"}, {}),
    (
        {"key": "team", **by(authorization="Bearer ann")},
        {"key": "team", **by(authorization="Bearer bob")},
        {"key": "team"},
    ),
    ({}, by(authorization="Bearer bob"), {"key": "team"}),
]


def ask(api, who, n=1, **more):
    headers = {**who.get("headers", {}), **more}
    return api.post("/exports" + who.get("query", ""), key=who.get("key"), json={"n": n}, headers=headers)


def about(api, accepted, who, method="GET"):
    path = accepted.headers["location"] + who.get("query", "")
    return api.request(method, path, key=who.get("key"), headers=who.get("headers"))


@pytest.mark.parametrize(("ann", "bob", "nobody"), SENT)
def test_a_result_is_its_askers_and_nobody_elses(new_shop, serving, work, ann, bob, nobody):
    api = serving(new_shop(credentials=["X-Pin"]))
    accepted = ask(api, ann)
    assert accepted.status_code == 202
    for other in (bob, nobody):
        for method in ("GET", "DELETE"):
            answer = about(api, accepted, other, method)
            assert (answer.status_code, answer.json()["type"]) == NOT_FOUND
    assert about(api, accepted, ann).json() == {"state": "queued", "position": 1}

    behind = new_shop(AMPLE, credentials=["X-Pin"])
    work(behind).poll()
    assert behind.ran == [(True, None)]
    assert about(api, accepted, ann).json() == {"n": 1}
    assert [about(api, accepted, other).status_code for other in (bob, nobody)] == [404, 404]
    assert about(api, accepted, ann, "DELETE").status_code == 409


def test_one_key_of_two_credentials_is_never_the_same_request(new_shop, serving):
    api, (ann, bob, _) = serving(new_shop()), SENT[0]
    first = ask(api, ann, **KEY)
    assert ask(api, ann, **KEY).headers["location"] == first.headers["location"]
    other = ask(api, bob, **KEY)
    assert (other.status_code, other.json()["type"]) == (422, "urn:tidegate:problem:idempotency-key-reused")
    assert "location" not in other.headers


def test_one_payload_of_two_credentials_is_two_requests(new_shop, serving):
    api, (ann, bob, _) = serving(new_shop()), SENT[0]
    first, second = ask(api, ann), ask(api, bob)
    assert first.headers["location"] != second.headers["location"]
    assert [about(api, first, ann).status_code, about(api, second, bob).status_code] == [202, 202]
    assert about(api, second, ann).status_code == 404


def test_a_retry_after_the_run_has_its_answer_under_its_credentials(new_shop, serving, work):
    api, (ann, bob, _) = serving(new_shop()), SENT[0]
    accepted = ask(api, ann, **KEY)
    work(new_shop(AMPLE)).poll()
    again = ask(api, ann, **KEY)
    assert (again.status_code, again.json(), again.headers["idempotent-replayed"]) == (201, {"n": 1}, "true")
    assert about(api, accepted, ann).json() == {"n": 1}
    assert ask(api, bob, **KEY).status_code == 422


def test_a_principal_that_says_who_asks_may_have_a_new_token(new_shop, serving):
    def identify(scope):
        sent = dict(scope["headers"]).get(b"authorization", b"ip:unknown").decode()
        return Caller(f"user:{sent.partition('-')[0].removeprefix('Bearer ')}")

    api = serving(new_shop(identify=identify))
    accepted = ask(api, by(authorization="Bearer ann-1"), **KEY)
    assert accepted.status_code == 202
    assert ask(api, by(authorization="Bearer ann-2"), **KEY).headers["location"] == accepted.headers["location"]
    assert about(api, accepted, by(authorization="Bearer ann-3")).status_code == 202
    assert about(api, accepted, by(authorization="Bearer bob-1")).status_code == 404


def test_a_run_under_a_security_scheme_relies_on_what_identify_has_found(new_shop, serving, work):
    bearer = HTTPBearer(auto_error=False)

    def identify(scope):
        token = dict(scope["headers"]).get(b"authorization", b"").decode().removeprefix("Bearer ")
        return f"user:{token}" if token in {"ann", "bob"} else "ip:192.0.2.1"

    def secured(limit):
        shop = new_shop(limit, identify=identify)

        async def caller(request: Request, _: Annotated[object, Depends(bearer)]) -> str:
            principal = request.state.tidegate.principal
            if not principal.startswith("user:"):
                raise HTTPException(401)
            return principal

        @shop.app.post("/reports", status_code=201)
        @policy(limits=[limit], overflow="queue")
        async def report(principal: Annotated[str, Depends(caller)]):
            return principal

        return shop

    api = serving(secured(ONE_A_MINUTE))
    ann, mallory = by(authorization="Bearer ann"), by(authorization="Bearer mallory")
    accepted = [api.post("/reports", headers=who["headers"]) for who in (ann, mallory)]
    assert [each.status_code for each in accepted] == [202, 202]
    work(secured(AMPLE)).poll()
    assert about(api, accepted[0], ann).json() == "user:ann"
    assert about(api, accepted[1], mallory).status_code == 401


def test_a_name_that_can_be_computed_finds_nothing(new_shop, serving, stores):
    api = serving(new_shop())
    accepted = ask(api, {}, **KEY)
    [item] = [i for i in stores.dynamo.items(stores.table) if i["pk"]["S"].startswith("request#")]
    key = "8e03978e-40d5-43e8-bc93-6894a57f9324"
    computed = digest("default", item["principal"]["S"], "POST", "/exports", f"key {key}")
    assert item["pk"]["S"] == f"request#{computed}", "as the stores call it"
    for guessed in (computed, f"{computed}.", f"{computed}.guessed", f"{computed}.{'0' * 32}"):
        for method in ("GET", "DELETE"):
            assert api.request(method, f"/v1/requests/{guessed}").status_code == 404
    assert api.get(accepted.headers["location"]).status_code == 202


@pytest.mark.parametrize("name", ["x%231", "claim", "x" * 3000, "%ff", "a.b.c", "%00", "ö", "a b"])
def test_a_name_that_is_none_is_not_found(new_shop, serving, name):
    api = serving(new_shop())
    answer = api.get(f"/v1/requests/{name}")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_who_asks_anew_under_a_cancelled_key_has_an_own_name(new_shop, serving):
    api, (ann, bob, _) = serving(new_shop()), SENT[0]
    first = ask(api, ann, **KEY)
    assert about(api, first, ann, "DELETE").status_code == 204
    second = ask(api, bob, **KEY)
    assert second.status_code == 202
    assert second.headers["location"] != first.headers["location"]
    assert about(api, second, bob).status_code == 202
    for accepted in (first, second):
        assert about(api, accepted, ann).status_code == 404
