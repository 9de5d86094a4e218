"""The made-up events are such as Mangum and an app read from the real ones."""

import json

import pytest
from fastapi import FastAPI, Request
from mangum import Mangum

from tests.harness.lambda_events import LambdaContext, http_api_event, rest_event

pytestmark = pytest.mark.usefixtures("lambda_loop")

app = FastAPI()


@app.api_route("/{path:path}", methods=["GET", "POST"])
async def echo(path: str, request: Request):
    return {
        "path": request.url.path,
        "query": request.query_params.multi_items(),
        "body": (await request.body()).decode("latin-1"),
        "type": request.headers.get("content-type"),
        "several": request.headers.getlist("x-several"),
        "client": request.client.host,
        "context": request.scope["aws.context"].function_version,
    }


def answer(event):
    reply = Mangum(app, lifespan="off")(event, LambdaContext())
    assert reply["statusCode"] == 200
    return json.loads(reply["body"])


@pytest.mark.parametrize("make", [rest_event, http_api_event])
@pytest.mark.parametrize(
    ("body", "seen"),
    [(None, ""), ("text", "text"), (b"\xff\x00", "\xff\x00"), ({"a": 1}, '{"a": 1}')],
)
def test_an_app_reads_them(make, body, seen):
    event = make("POST", "/v1/orders", query={"a": "1", "b": ["2", "3"]}, body=body, source_ip="198.51.100.1")
    got = answer(event)
    assert got["path"] == "/v1/orders"
    assert sorted(got["query"]) in ([["a", "1"], ["b", "2"], ["b", "3"]], [["a", "1"], ["b", "2,3"]])
    assert got["body"] == seen
    assert got["type"] == ("application/json" if isinstance(body, dict) else None)
    assert (got["client"], got["context"]) == ("198.51.100.1", "1")
    json.dumps(event)


def test_the_identity_of_a_key_is_there_only_when_given():
    assert "apiKeyId" not in rest_event()["requestContext"]["identity"]
    identity = rest_event(api_key_id="k1", headers={"x-api-key": "secret"})["requestContext"]["identity"]
    assert (identity["apiKeyId"], identity["apiKey"]) == ("k1", "secret")


def test_several_values_of_a_header():
    got = answer(rest_event(headers={"x-several": ["a", "b"]}))
    assert got["several"] == ["a, b"], "Mangum joins them, as HTTP allows"


def test_times_are_in_milliseconds():
    assert rest_event(request_time_epoch=123)["requestContext"]["requestTimeEpoch"] == 123
    assert rest_event()["requestContext"]["requestTimeEpoch"] > 1_700_000_000_000
    assert 0 < LambdaContext(timeout_ms=100).get_remaining_time_in_millis() <= 100
    assert LambdaContext(began_s=0.0, timeout_ms=0).get_remaining_time_in_millis() == 0
