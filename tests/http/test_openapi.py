"""The OpenAPI document says what the guard answers and reads, on each route what its policy can do."""

from __future__ import annotations

import json

import pytest
import schemathesis
from fastapi import APIRouter, FastAPI, Header
from fastapi.openapi.utils import get_openapi
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import from_regex, one_of
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from tests.http.payments import AMPLE
from tidegate import Cache, Policy, TokenBucket, policy, protect
from tidegate.idempotency.protocol import read_key
from tidegate.web.openapi import KEY

PROBLEM = {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}
FREE = Policy()


def shop() -> FastAPI:
    app = FastAPI(title="Shop")
    router = APIRouter(prefix="/v1")

    @router.get("/products/{item:path}")
    @policy(limits=AMPLE)
    async def product(item: str) -> str:
        return item

    @router.get("/catalogue")
    @policy(cache=Cache("1h"))
    async def catalogue() -> list[str]:
        return []

    @router.post("/orders", status_code=201, responses={409: {"description": "Sold out."}})
    @policy(limits=AMPLE, idempotent=True)
    async def order(amount: int) -> int:
        return amount

    @router.post("/notes")
    @policy(limits=AMPLE, idempotent="optional")
    async def note(text: str) -> str:
        return text

    @app.get("/health")
    async def health() -> str:
        return "ok"

    app.include_router(router)
    return app


@pytest.fixture
def protected(closing, memory):
    def made(app, **how):
        closing.callback(protect(app, settings=memory, **how).close)
        return app

    return made


def test_a_limited_route_shows_its_refusals_and_fields(protected):
    operation = protected(shop()).openapi()["paths"]["/v1/products/{item}"]["get"]
    assert {"200", "422", "429", "503"} == operation["responses"].keys()
    refusal = operation["responses"]["429"]
    assert refusal["content"] == {"application/problem+json": PROBLEM}
    assert refusal["headers"].keys() == {"RateLimit", "RateLimit-Policy", "Retry-After"}
    assert operation["responses"]["200"]["headers"].keys() == {"RateLimit", "RateLimit-Policy"}


def test_an_idempotent_route_shows_its_key(protected):
    paths = protected(shop()).openapi()["paths"]
    [key] = [each for each in paths["/v1/orders"]["post"]["parameters"] if each["in"] == "header"]
    assert (key["name"], key["required"]) == ("Idempotency-Key", True)
    [key] = [each for each in paths["/v1/notes"]["post"]["parameters"] if each["in"] == "header"]
    assert (key["name"], key["required"]) == ("Idempotency-Key", False)
    answers = paths["/v1/orders"]["post"]["responses"]
    assert answers.keys() == {"201", "400", "408", "409", "413", "422", "429", "503"}
    assert answers["422"]["content"].keys() == {"application/json", "application/problem+json"}
    assert "Idempotent-Replayed" in answers["201"]["headers"]


@given(from_regex(KEY["schema"]["pattern"], fullmatch=True))
def test_a_key_that_fits_its_pattern_is_read(key):
    read = read_key({"type": "http", "headers": [(b"idempotency-key", key.encode())]})
    assert isinstance(read, str), read


def test_what_the_application_says_stays(protected):
    app = shop()

    @app.post("/own")
    @policy(limits=AMPLE, idempotent=True)
    async def own(idempotency_key: str = Header(description="Mine")) -> str:
        return idempotency_key

    paths = protected(app).openapi()["paths"]
    assert paths["/v1/orders"]["post"]["responses"]["409"]["description"] == "Sold out."
    [key] = paths["/own"]["post"]["parameters"]
    assert (key["description"], key["name"]) == ("Mine", "idempotency-key")


def test_a_route_without_protection_stays_as_it_is(protected):
    bare = shop().openapi()["paths"]["/health"]
    assert protected(shop(), default=FREE).openapi()["paths"]["/health"] == bare
    assert "429" in protected(shop()).openapi()["paths"]["/health"]["get"]["responses"]


def test_it_can_be_switched_off(protected):
    assert protected(shop(), openapi=False).openapi() == shop().openapi()


def test_a_cached_route_shows_what_conditions_do(protected):
    answers = protected(shop()).openapi()["paths"]["/v1/catalogue"]["get"]["responses"]
    assert answers.keys() == {"200", "304", "412", "503"}


def test_a_policy_by_path_and_own_refusals_are_shown(protected):
    def refused(_refusal):
        return {"error": "no"}

    app = protected(shop(), default=FREE, policies={"/health": Policy(limits=AMPLE)}, refusal=refused)
    refusal = app.openapi()["paths"]["/health"]["get"]["responses"]["429"]
    assert "content" not in refusal, "its body is the application's"


def test_an_own_openapi_is_completed_whenever_it_is_set(protected):
    app = protected(shop())

    def own():
        return get_openapi(title="Mine", version="9", routes=app.routes)

    app.openapi = own
    with TestClient(app) as client:
        said = client.get("/openapi.json").json()
    assert said["info"]["title"] == "Mine"
    assert "429" in said["paths"]["/v1/orders"]["post"]["responses"]


def test_a_mounted_application_documents_itself(protected):
    outer, inner = FastAPI(), shop()
    outer.mount("/inner", inner)
    protected(outer, default=FREE)
    assert "429" in inner.openapi()["paths"]["/v1/orders"]["post"]["responses"]
    assert outer.openapi()["paths"] == {}


def test_the_document_is_made_once_and_the_applications_own_stays(protected):
    app = protected(shop())
    assert app.openapi() is app.openapi()
    assert "429" not in json.dumps(app.openapi_schema)


def test_a_fuzzed_application_answers_nothing_undocumented(protected):
    app = FastAPI(title="Fuzzed")

    @app.get("/limited")
    @policy(limits=[TokenBucket("1/h", burst=3)])
    async def limited(n: int = 0) -> int:
        return n

    @app.post("/orders", status_code=201)
    @policy(limits=AMPLE, idempotent=True)
    async def order(amount: int) -> int:
        return amount

    protected(app)
    with TestClient(app):
        schema = schemathesis.openapi.from_asgi("/openapi.json", app)
        seen: set[int] = set()

        @settings(max_examples=40, suppress_health_check=list(HealthCheck))
        @given(case=one_of([each.ok().as_strategy() for each in schema.get_all_operations()]))
        def fuzzed(case):
            answer = case.call()
            seen.add(answer.status_code)
            case.validate_response(answer, checks=[status_code_conformance, response_schema_conformance])

        fuzzed()
    assert {200, 201, 429} <= seen
