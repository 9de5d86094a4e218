"""What the OpenAPI document promises, and a fuzzer that holds the app to it."""

import uuid

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import positive_data_acceptance

from functions.api.app import ROUTERS, create_app
from functions.api.problems import RETRY_AFTER

EXAMPLES = settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
NAMES_WHAT_MAY_NOT_EXIST = {"/v1/orders", "/v1/products"}  # a product, a cursor: 422 though the form is right


def fuzzed_document():
    """Without API keys, which API Gateway checks and not the app, and with ids that mostly exist."""
    document = create_app().openapi()
    for operation in operations(document).values():
        operation.pop("security", None)
    existing = {"type": "string", "enum": ["lamp", "mug", "unicorn"]}
    document["components"]["schemas"]["LineIn"]["properties"]["product_id"] = existing
    document["paths"]["/v1/products/{product_id}"]["get"]["parameters"][0]["schema"] = existing
    return document


def operations(document):
    return {operation["operationId"]: operation for path in document["paths"].values() for operation in path.values()}


schema = schemathesis.openapi.from_dict(fuzzed_document())


@schema.parametrize()
@EXAMPLES
def test_the_app_keeps_to_its_document(app, case):
    excluded = [positive_data_acceptance] if case.operation.path in NAMES_WHAT_MAY_NOT_EXIST else []
    # A caller of its own per request, so that none is refused for its rate.
    case.call_and_validate(app=app, headers={"x-api-key": uuid.uuid4().hex}, excluded_checks=excluded)


@pytest.fixture(scope="module")
def document():
    return create_app().openapi()


def test_every_route_is_described(document):
    routes = [route for router in ROUTERS for route in router.routes]

    of_the_library = {"readRequest", "cancelRequest"}
    assert operations(document).keys() == {route.operation_id for route in routes} | of_the_library
    assert all(operation["summary"] and operation["description"] for operation in operations(document).values())


def test_errors_are_problems_and_come_with_a_retry_time_where_one_is_due(document):
    of_the_shop, of_the_library = RETRY_AFTER, {"$ref": "#/components/headers/Retry-After"}
    for operation in operations(document).values():
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                assert list(answer["content"]) == ["application/problem+json"]
            if status in {"429", "503"}:
                assert answer["headers"]["Retry-After"] in (of_the_shop, of_the_library)
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_a_policy_shows_in_its_routes_description(document):
    found = operations(document)

    assert {"400", "409", "413", "422", "429", "503"} <= found["placeOrder"]["responses"].keys()
    assert [p["name"] for p in found["placeOrder"]["parameters"]] == ["Idempotency-Key"]
    assert "429" not in found["live"]["responses"]
    assert found["getOrder"]["security"] == [{"key": []}]
    assert "security" not in found["health"]
