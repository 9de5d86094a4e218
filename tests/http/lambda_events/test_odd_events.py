"""Events that no sender makes: what no request can say is refused, what may be missing isn't missed."""

import asyncio
import json

import pytest
from fastapi import FastAPI

from tests.harness.lambda_events import KINDS, LambdaContext, alb_event, http_api_event, rest_event
from tidegate import UnsupportedEventError, lambda_handler


def broken(kind, **changes):
    event = kind("POST", "/echo", body="text")
    for name, value in changes.items():
        if value is ...:
            event.pop(name, None)
        else:
            event[name] = value
    return event


HOSTS = ["a:b:c", "host:port", "[::1", "[zz]", "a b", "a/b", "[1.2.3.4]", "host:70000", "h" * 300, "host:-1"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("host", HOSTS)
def test_a_host_that_is_none_is_refused(ask, kind, host):
    reply = ask(kind("POST", "/echo", headers={"host": host}))
    assert reply["statusCode"] == 400, reply
    assert json.loads(reply["body"])["type"] == "urn:tidegate:problem:malformed-request"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "headers",
    [
        {"host": "[::1]"},
        {"host": "[2001:db8::1]:8443"},
        {"host": ""},
        {"host": "shop.example:"},
        {"host": "shop.example", "x-forwarded-port": "text"},
        {"host": "shop.example", "x-forwarded-port": "99999999"},
        {"host": "shop.example", "x-forwarded-port": "²"},
        {"host": "shop.example", "x-forwarded-proto": "gopher"},
        {"host": "shop.example", "x-forwarded-proto": ""},
        {},
    ],
)
def test_what_proxies_write_amiss_is_passed_over(ask, kind, headers):
    assert ask(kind("POST", "/echo", headers=headers))["statusCode"] == 200


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "changes",
    [
        {"body": "no Base64!", "isBase64Encoded": True},
        {"body": "YQ", "isBase64Encoded": True},
        {"body": {"a": 1}},
        {"body": ["a"]},
        {"body": 7},
        {"body": "half a pair: \ud800"},
        {"isBase64Encoded": "yes"},
        {"headers": "text", "multiValueHeaders": ...},
        {"headers": ["a"], "multiValueHeaders": ...},
        {"headers": {"a b": "c"}, "multiValueHeaders": ...},
        {"headers": {"": "c"}, "multiValueHeaders": ...},
        {"headers": {"a": 7}, "multiValueHeaders": ...},
        {"headers": {"a": {"b": "c"}}, "multiValueHeaders": ...},
        {"headers": {"a": "b\r\nc: d"}, "multiValueHeaders": ...},
        {"headers": {"a": "\ud800"}, "multiValueHeaders": ...},
        {"multiValueHeaders": {"a": "b"}},
        {"multiValueHeaders": {"a": [7]}},
        {"multiValueHeaders": ["a"]},
    ],
)
def test_what_no_request_can_say_is_refused(ask, kind, changes):
    reply = ask(broken(kind, **changes))
    assert reply["statusCode"] == 400, reply
    assert "malformed-request" in reply["body"]


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (rest_event, {"httpMethod": None}),
        (rest_event, {"httpMethod": "GET /x"}),
        (rest_event, {"httpMethod": ""}),
        (rest_event, {"path": 7}),
        (rest_event, {"path": "/\ud800"}),
        (rest_event, {"queryStringParameters": "a=1"}),
        (rest_event, {"queryStringParameters": {"a": 7}}),
        (rest_event, {"multiValueQueryStringParameters": {"a": "1"}}),
        (rest_event, {"requestContext": "text"}),
        (rest_event, {"requestContext": ["a"]}),
        (http_api_event, {"rawPath": 7}),
        (http_api_event, {"rawQueryString": 7}),
        (http_api_event, {"cookies": "a=1"}),
        (http_api_event, {"cookies": [7]}),
        (http_api_event, {"requestContext": {"http": "GET"}}),
        (http_api_event, {"requestContext": {"http": {}}}),
        (http_api_event, {"requestContext": ...}),
        (alb_event, {"path": []}),
    ],
)
def test_a_request_without_its_line_is_refused(ask, kind, changes):
    reply = ask(broken(kind, **changes))
    assert reply["statusCode"] == 400, reply


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (rest_event, {"headers": None, "multiValueHeaders": None}),
        (rest_event, {"headers": {"x-none": None}, "multiValueHeaders": {"x-none": None}}),
        (rest_event, {"requestContext": ...}),
        (rest_event, {"requestContext": None}),
        (rest_event, {"resource": ..., "pathParameters": ...}),
        (rest_event, {"isBase64Encoded": ..., "body": ...}),
        (rest_event, {"queryStringParameters": {"a": None}}),
        (http_api_event, {"cookies": None, "rawQueryString": ...}),
        (http_api_event, {"version": ...}),
        (alb_event, {"body": None}),
    ],
)
def test_what_may_be_missing_is_not_missed(ask, kind, changes):
    assert ask(broken(kind, **changes))["statusCode"] == 200


@pytest.mark.parametrize(
    ("event", "named"),
    [
        ({}, "test event"),
        ({"key1": "value1"}, "'key1'"),
        (None, "null"),
        ([], "array"),
        ("text", "string"),
        ({"Records": [{"eventSource": "aws:sqs", "body": "{}"}]}, "aws:sqs"),
        ({"Records": [{"eventSource": "aws:s3", "s3": {}}]}, "aws:s3"),
        ({"Records": [{"EventSource": "aws:sns", "Sns": {}}]}, "aws:sns"),
        ({"Records": [{"cf": {"request": {}}}]}, "Lambda@Edge"),
        ({"Records": []}, "records"),
        ({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}, "Scheduled Event"),
        ({"RequestType": "Create", "StackId": "arn", "ResponseURL": "https://"}, "CloudFormation"),
        ({"requestContext": {"connectionId": "c", "eventType": "CONNECT"}}, "WebSocket"),
        ({"type": "TOKEN", "methodArn": "arn", "authorizationToken": "t"}, "authorizer"),
        (rest_event() | {"type": "REQUEST", "methodArn": "arn"}, "authorizer"),
        ({"version": "2.0", "path": "/", "requestContext": {"serviceNetworkArn": "arn"}}, "VPC Lattice"),
    ],
)
def test_an_event_of_another_kind_is_named_and_raised_to_lambda(ask, log, event, named):
    with pytest.raises(UnsupportedEventError, match="API Gateway") as raised:
        ask(event)
    assert named in str(raised.value)
    assert [line["message"] for line in log.all] == ["event not supported"]


@pytest.mark.parametrize(
    "epoch",
    [0, 1, -1, 946_684_800_000, 10**400, -(10**400), float("nan"), float("inf"), 1e308, "text", True, [1], None],
)
@pytest.mark.parametrize("headers", [{}, {"tidegate-timeout-ms": "5000"}])
def test_a_recorded_events_time_says_nothing(app, epoch, headers):
    handler = lambda_handler(app)
    for _ in range(3):  # the first of an environment is let off anyway
        rest, v2 = rest_event("GET", "/", headers=headers), http_api_event("GET", "/", headers=headers)
        rest["requestContext"]["requestTimeEpoch"] = v2["requestContext"]["timeEpoch"] = epoch
        assert {handler(event, LambdaContext())["statusCode"] for event in (rest, v2)} == {200}


@pytest.mark.parametrize("answers", ["nothing", "no body", "raises", "raises half-way", "is cancelled"])
def test_an_application_that_does_not_answer_is_a_500(log, answers):
    async def app(scope, receive, send):
        if answers == "raises":
            raise KeyError("x")
        if answers == "is cancelled":
            raise asyncio.CancelledError
        if answers != "nothing":
            await send({"type": "http.response.start", "status": 200, "headers": []})
        if answers == "raises half-way":
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
            raise KeyError("x")

    app.router = FastAPI().router  # no lifespan of its own
    reply = lambda_handler(app)(http_api_event(), LambdaContext())
    assert reply["statusCode"] == 500
    assert reply["headers"]["content-type"] == "application/problem+json"
