"""What is kept of a queued request: no credential, whatever it is called, and all that its run is about."""

from inspect import Parameter, Signature

import pytest
from fastapi import APIRouter, Cookie, Depends, FastAPI, Header, Query
from fastapi.security import APIKeyCookie, APIKeyHeader, APIKeyQuery, HTTPBearer, OAuth2PasswordBearer
from hypothesis import given
from hypothesis import strategies as st

from tidegate import Caller, ConfigurationError, Policy, Settings, TokenBucket, policy, protect
from tidegate.overflow.kept_fields import CREDENTIALS, STANDARD, Kept
from tidegate.overflow.request import QueuedRequest

LIMITS = [TokenBucket("1/s")]
NOTHING_MORE = Kept()
names = st.from_regex(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,30}", fullmatch=True).map(str.encode)


def test_no_field_is_both_kept_and_a_credential():
    assert not STANDARD & CREDENTIALS
    assert all(name == name.lower() for name in STANDARD | CREDENTIALS)


@given(st.lists(st.tuples(names, st.binary(max_size=9)), max_size=9))
def test_a_field_is_kept_only_if_its_name_is_known_or_named(headers):
    kept = Kept.named(["X-Tenant"], frozenset()).headers(headers)
    assert {name for name, _ in kept} <= STANDARD | {b"x-tenant"}
    assert set(kept) <= {(name.lower(), value) for name, value in headers}


@pytest.mark.parametrize(
    "name",
    [
        *("access_token", "token", "id_token", "oauth_token", "Access_Token", "%61ccess_token"),
        *("api_key", "apiKey", "api-key", "key", "subscription-key", "code", "ticket", "pin", "otp"),
        *("X-Amz-Signature", "X-Amz-Security-Token", "X-Amz-Credential", "sig", "signature"),
        *("password", "passwd", "client_secret", "jwt", "auth", "authorization", "session_id", "sid"),
    ],
)
def test_a_query_loses_its_credentials_and_nothing_else(name):
    query = f"page=2&{name}=s3cret&q=a%20b&&x=&page=3".encode()
    assert NOTHING_MORE.query_string(query) == b"page=2&q=a%20b&&x=&page=3"
    assert NOTHING_MORE.query_string(f"{name}=s3cret".encode()) == b""


@pytest.mark.parametrize(
    "name",
    ["page", "author", "authors", "sort_key", "country_code", "q", "user", "tenant", "company", "opinion", "zip_code"],
)
def test_a_query_keeps_what_only_looks_like_one(name):
    assert NOTHING_MORE.query_string(f"{name}=1".encode()) == f"{name}=1".encode()


def test_a_query_parameter_that_is_named_is_kept():
    kept = Kept.named(["?page_token"], frozenset())
    assert kept.query_string(b"page_token=1&token=2") == b"page_token=1"


@given(st.binary(max_size=60))
def test_any_query_is_taken(query):
    kept = NOTHING_MORE.query_string(query)
    assert NOTHING_MORE.query_string(kept) == kept
    assert set(kept.split(b"&")) <= {b"", *query.split(b"&")}


def test_what_is_kept_can_be_read_back_whatever_its_name_s_letters():
    scope = {"method": "POST", "path": "/", "headers": [(b"Content-Type", b"a/b"), (b"X-Tenant", b"\xe4")]}
    kept = QueuedRequest.of(scope, Caller("key:ann"), None, b"", Kept.named(["x-tenant"], frozenset()))
    assert QueuedRequest.decode(kept.encode()).headers == ((b"content-type", b"a/b"), (b"x-tenant", b"\xe4"))


@pytest.mark.parametrize("names", [["authorization"], ["Cookie"], ["x y"], ["?"], [""], "x-tenant", ["x:y"]])
def test_a_name_that_can_t_be_kept_is_refused_with_what_to_write(names):
    with pytest.raises(ConfigurationError) as raised:
        policy(limits=LIMITS, overflow="queue", queue_keeps=names)
    assert raised.value.name == "policy(queue_keeps=…)"


def test_names_without_a_queue_are_refused():
    with pytest.raises(ConfigurationError, match="overflow='queue'"):
        Policy(limits=LIMITS, queue_keeps=("x-tenant",))


def queued(*dependencies, keeps=(), **parameters):
    """An application with one queued route."""
    app, router = FastAPI(), APIRouter()
    settings = Settings(table="t", queue_url="https://sqs/1/q.fifo")
    gate = protect(app, settings=settings, requests="/v1/requests")

    async def handler(**_):
        return 1

    handler.__signature__ = _signature(parameters)
    declared = policy(limits=LIMITS, overflow="queue", queue_keeps=keeps)(handler)
    router.post("/exports", dependencies=[Depends(each) for each in dependencies])(declared)
    app.include_router(router)
    return gate


def _signature(parameters):
    return Signature(
        [
            Parameter(n, Parameter.KEYWORD_ONLY, default=default, annotation=kind)
            for n, (kind, default) in parameters.items()
        ]
    )


REQUIRED = {"x_dry_run": (bool, Header())}
OPTIONAL = {"x_dry_run": (bool | None, Header(None))}


@pytest.mark.parametrize("parameters", [REQUIRED, OPTIONAL])
def test_a_field_that_a_run_would_lack_is_refused_at_start(parameters):
    with pytest.raises(ConfigurationError, match=r"queue_keeps=\['x-dry-run'\]"):
        queued(**parameters)._routes()
    assert queued(keeps=["X-Dry-Run"], **parameters)._routes()


@pytest.mark.parametrize(
    "parameters",
    [
        {"if_match": (str, Header())},
        {"prefer": (str | None, Header(None))},
        {"page": (int, Query(1))},
        {"user_agent": (str, Header())},
        {},
    ],
)
def test_what_every_run_has_may_be_asked_for(parameters, caplog):
    assert queued(**parameters)._routes()
    assert "credentials" not in caplog.text


@pytest.mark.parametrize(
    ("dependencies", "parameters"),
    [
        ([HTTPBearer()], {}),
        ([OAuth2PasswordBearer("token")], {}),
        ([APIKeyHeader(name="X-Shop")], {}),
        ([APIKeyQuery(name="shop")], {}),
        ([APIKeyCookie(name="shop")], {}),
        ([], {"session": (str | None, Cookie(None))}),
        ([], {"x_token": (str, Header())}),
        ([], {"authorization": (str, Header())}),
        ([], {"page_token": (str | None, Query(None))}),
    ],
)
def test_a_route_whose_runs_lack_their_credential_is_told_at_start(dependencies, parameters, caplog):
    assert queued(*dependencies, **parameters)._routes()
    assert "a queued route asks for credentials" in caplog.text


def test_a_scheme_that_leaves_the_refusal_to_the_route_is_no_fault(caplog):
    assert queued(HTTPBearer(auto_error=False), APIKeyQuery(name="shop", auto_error=False))._routes()
    assert "a queued route asks for credentials" not in caplog.text
