"""Requests of one principal that are for another: by what an authorizer says, by a field, or by the host."""

from typing import Any

import pytest
from fastapi import FastAPI, Request

from tests.harness.lambda_events import LambdaContext, cloudfront_event, http_api_event, rest_event
from tidegate import Cache, policy

# The principal is the same in both; somebody else asks.
APART = {
    "one principalId for all": (
        "rest",
        {"principalId": "shop", "userId": "ann"},
        {"principalId": "shop", "userId": "bob"},
    ),
    "a user by number": ("rest", {"principalId": "api", "user_id": "1"}, {"principalId": "api", "user_id": "2"}),
    "a Cognito attribute": ("rest", *({"claims": {"sub": "7", "custom:tenant": of}} for of in ("a", "b"))),
    "two issuers": ("http", *({"jwt": {"claims": {"sub": "7", "iss": f"https://{of}.test"}}} for of in ("a", "b"))),
    "two organisations": ("http", *({"jwt": {"claims": {"sub": "7", "org_id": of}}} for of in ("a", "b"))),
    "a member of a member": ("http", *({"lambda": {"sub": "7", "user": {"id": of}}} for of in (1, 2))),
    "no principal": ("http", *({"lambda": {"https://shop.test/tenantId": of}} for of in ("a", "b"))),
}


@pytest.fixture
def app():
    app, runs = FastAPI(), []

    @app.post("/orders")
    @policy(idempotent=True)
    async def order(request: Request) -> Any:
        runs.append(request.url.hostname)
        return {"number": len(runs)}

    @app.get("/mine")
    @policy(cache=Cache("60s"))
    async def mine() -> Any:
        runs.append("")
        return {"number": len(runs)}

    return app


@pytest.fixture
def function(app, memory, deploy):
    return deploy(app, memory)


def ask(function, method, path, kind="rest", authorizer=None, host="api.test", **fields):
    headers = {"host": host, "idempotency-key": "order-1", **fields}
    make = rest_event if kind == "rest" else http_api_event
    return function.invoke(make(method, path, headers=headers, authorizer=authorizer))


@pytest.mark.parametrize("case", APART)
def test_whom_an_authorizer_tells_apart_gets_no_others_answer(function, case):
    kind, ann, bob = APART[case]
    first = ask(function, "POST", "/orders", kind, ann)
    assert ask(function, "POST", "/orders", kind, bob).status_code == 422
    again = ask(function, "POST", "/orders", kind, ann)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == first.json()


@pytest.mark.parametrize("case", APART)
def test_whom_an_authorizer_tells_apart_gets_no_others_copy(function, case):
    kind, ann, bob = APART[case]
    answers = [ask(function, "GET", "/mine", kind, each).json() for each in (ann, bob, ann)]
    assert answers[0] == answers[2] != answers[1]


TENANTS = [
    ({"x-tenant-id": "a"}, {"x-tenant-id": "b"}),
    ({"stripe-account": "a"}, {}),
    ({"x-shop": "a"}, {"x-shop": "b"}),
    ({"x-on-behalf-of": "a"}, {"x-on-behalf-of": "b"}),
    ({"cookie": "theme=dark; org=a"}, {"cookie": "theme=dark; org=b"}),
]


@pytest.mark.parametrize(("one", "other"), TENANTS)
def test_a_request_for_another_tenant_gets_no_answer_of_the_first(function, one, other):
    """Also where the principal stands for the credential, since one user may act for several."""
    asked = [ask(function, "POST", "/orders", authorizer={"principalId": "ann"}, **each) for each in (one, other, one)]
    assert [answer.status_code for answer in asked] == [200, 422, 200]
    assert asked[2].headers["idempotent-replayed"] == "true"


REFRESHED = ["authorization", "x-session-token", "x-request-id", "sec-fetch-user", "user-agent", "x-client-version"]


@pytest.mark.parametrize("name", REFRESHED)
def test_a_field_that_may_differ_in_a_retry_doesnt_count(function, name):
    asked = [ask(function, "POST", "/orders", authorizer={"principalId": "ann"}, **{name: of}) for of in ("a", "b")]
    assert asked[1].headers["idempotent-replayed"] == "true"


def test_what_differs_with_each_attempt_is_the_same_caller(function):
    told = {"principalId": "ann", "userId": "7"}
    ask(function, "POST", "/orders", authorizer=told | {"token": "a", "authTime": "1", "integrationLatency": 1})
    again = ask(function, "POST", "/orders", authorizer=told | {"token": "b", "authTime": "2", "integrationLatency": 2})
    assert again.headers["idempotent-replayed"] == "true"


def test_a_viewers_retry_through_another_place_of_cloudfronts_is_replayed(function):
    ann, bob = ({"cookie": f"session={name * 12}", "idempotency-key": "order-1"} for name in ("ann", "bob"))
    asked = []
    for who, place in ((ann, "NRT12"), (ann, "FRA6"), (bob, "NRT12")):
        event = cloudfront_event("POST", "/orders", place=place, headers=who)
        asked.append(function.handler(event, LambdaContext()))
    assert [answer["statusCode"] for answer in asked] == [200, 200, 422]
    assert asked[1]["headers"]["idempotent-replayed"] == "true"


def test_a_request_that_is_signed_anew_gets_its_own_copy(function):
    """Signature Version 4: the signature and its date differ, the access key doesn't."""
    signed = "AWS4-HMAC-SHA256 Credential={}/20260101/us-east-1/execute-api/aws4_request, Signature={}"
    fields = [signed.format(*of) for of in (("AKIAANN", "1"), ("AKIAANN", "2"), ("AKIABOB", "3"))]
    answers = [ask(function, "GET", "/mine", authorization=field).json() for field in fields]
    assert answers[0] == answers[1] != answers[2]


def test_a_key_that_came_to_one_host_is_not_answered_at_another(run, app, memory):
    api = run(app, memory)
    headers = {"idempotency-key": "order-1"}
    first, other, again = (
        api.post("/orders", headers={**headers, "host": of}) for of in ("a.test", "b.test", "A.test:443")
    )
    assert (first.status_code, other.status_code) == (200, 422)
    assert again.headers["idempotent-replayed"] == "true"


def test_a_host_that_a_proxy_passes_on_counts(function):
    fields = [{"x-forwarded-host": of} for of in ("a.test", "b.test")]
    assert [ask(function, "POST", "/orders", **each).status_code for each in fields] == [200, 422]


@pytest.mark.parametrize(
    "hosts", [("10.0.0.1:8000", "10.0.0.2:8000"), ("[fd00::1]:80", "[fd00::2]:80"), ("api-1", "api-2:80")]
)
def test_a_retry_to_another_server_by_its_address_is_replayed(function, hosts):
    first, again = (ask(function, "POST", "/orders", host=host) for host in hosts)
    assert first.status_code == 200
    assert again.headers["idempotent-replayed"] == "true"
