import json

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_apigateway as apigateway
from ministack.services.apigateway_v1 import _DEFAULT_GATEWAY_RESPONSE_STATUS_CODES

from tidegate_cdk import GatewayProblems

PROBLEMS = "https://iana.org/assignments/http-problem-types#"
# Every response type of API Gateway's, and the status that ours has.
OURS = {
    "ACCESS_DENIED": 403,
    "API_CONFIGURATION_ERROR": 503,
    "AUTHORIZER_CONFIGURATION_ERROR": 503,
    "AUTHORIZER_FAILURE": 503,
    "BAD_REQUEST_BODY": 400,
    "BAD_REQUEST_PARAMETERS": 400,
    "DEFAULT_4XX": 400,
    "DEFAULT_5XX": 503,
    "EXPIRED_TOKEN": 403,
    "INTEGRATION_FAILURE": 503,
    "INTEGRATION_TIMEOUT": 503,
    "INVALID_API_KEY": 403,
    "INVALID_SIGNATURE": 403,
    "MISSING_AUTHENTICATION_TOKEN": 404,
    "QUOTA_EXCEEDED": 429,
    "REQUEST_TOO_LARGE": 413,
    "RESOURCE_NOT_FOUND": 404,
    "THROTTLED": 429,
    "UNAUTHORIZED": 401,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "WAF_FILTERED": 403,
}


@pytest.fixture
def responses(synthesized):
    return {
        response["ResponseType"]: response for response in synthesized.properties("AWS::ApiGateway::GatewayResponse")
    }


def test_every_answer_of_the_edge_is_ours(responses):
    assert {kind: int(response["StatusCode"]) for kind, response in responses.items()} == OURS
    assert set(OURS) == {"DEFAULT_4XX", "DEFAULT_5XX", *_DEFAULT_GATEWAY_RESPONSE_STATUS_CODES}


@pytest.mark.parametrize("kind", OURS)
def test_bodies_are_problem_json(responses, kind):
    response = responses[kind]
    assert response["ResponseParameters"]["gatewayresponse.header.Content-Type"] == "'application/problem+json'"
    # The only key that API Gateway takes; the header says what the body is.
    (template,) = response["ResponseTemplates"].values()
    assert list(response["ResponseTemplates"]) == ["application/json"]
    problem = json.loads(template)
    assert problem["status"] == int(response["StatusCode"])
    assert problem["title"]
    assert problem["detail"]
    assert problem["instance"] == "urn:uuid:$context.requestId"


@pytest.mark.parametrize(
    ("kind", "problem_type"),
    [
        ("THROTTLED", f"{PROBLEMS}quota-exceeded"),
        ("QUOTA_EXCEEDED", f"{PROBLEMS}quota-exceeded"),
        ("DEFAULT_5XX", f"{PROBLEMS}temporary-reduced-capacity"),
        ("INTEGRATION_FAILURE", f"{PROBLEMS}temporary-reduced-capacity"),
        ("INTEGRATION_TIMEOUT", f"{PROBLEMS}temporary-reduced-capacity"),
        ("INVALID_API_KEY", "urn:tidegate:problem:invalid-api-key"),
        ("MISSING_AUTHENTICATION_TOKEN", "about:blank"),
    ],
)
def test_clients_can_tell_problems_by_their_type(responses, kind, problem_type):
    (template,) = responses[kind]["ResponseTemplates"].values()
    assert json.loads(template)["type"] == problem_type


@pytest.mark.parametrize("kind", OURS)
def test_retry_after_is_whole_seconds_where_trying_again_helps(responses, kind):
    header = responses[kind]["ResponseParameters"].get("gatewayresponse.header.Retry-After")
    if OURS[kind] not in {429, 503}:
        assert header is None
        return
    assert header[0] == header[-1] == "'"
    assert int(header[1:-1]) >= 1


def test_the_deployment_holds_them_all(synthesized):
    # A deployment is a snapshot: answers that come after it are not served.
    (deployment,) = synthesized.resources("AWS::ApiGateway::Deployment").values()
    missing = set(synthesized.resources("AWS::ApiGateway::GatewayResponse")) - set(deployment["DependsOn"])
    assert not missing


@pytest.mark.parametrize(
    ("origins", "read_by"),
    [
        ((), None),
        (("https://one.example",), "'https://one.example'"),
        (("https://one.example", "https://b.example"), "'*'"),
    ],
)
def test_any_rest_api_may_answer_by_them(tmp_path, origins, read_by):
    app = App(outdir=str(tmp_path))
    stack = Stack(app, "Outsider")
    api = apigateway.RestApi(stack, "Api")
    api.root.add_method("GET", apigateway.MockIntegration())
    GatewayProblems(stack, "Problems", api=api, origins=origins)
    resources = app.synth().get_stack_by_name("Outsider").template["Resources"].values()
    answers = [of["Properties"] for of in resources if of["Type"] == "AWS::ApiGateway::GatewayResponse"]
    assert {of["ResponseType"]: int(of["StatusCode"]) for of in answers} == OURS
    header = "gatewayresponse.header.Access-Control-Allow-Origin"
    assert {of["ResponseParameters"].get(header) for of in answers} == {read_by}
