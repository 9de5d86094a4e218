"""DynamoDB's calls of a cold start without botocore: what they return and raise is what botocore's do."""

from __future__ import annotations

import calendar
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

import tidegate
from tests.contract.store_errors import answered, kind_of
from tests.contract.workers import request
from tests.harness.dynamodb import DynamoServer
from tests.harness.http_faults import EXPIRED, INTERNAL, THROTTLED, HttpFaults
from tests.harness.lambda_events import rest_event
from tests.harness.tcp_proxy import TcpProxy
from tidegate.clock import SystemClock
from tidegate.idempotency.dynamodb import DynamoClaims
from tidegate.messages import Granted
from tidegate.sigv4 import Keys, Scope, signed_fields
from tidegate.stores.dynamodb import first_calls as module
from tidegate.stores.dynamodb.client import DynamoClient, DynamoTimeouts, Written
from tidegate.stores.dynamodb.first_calls import CallError, Endpoint, FirstCalls, first_calls

KEYS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret"}
ON_LAMBDA = {
    **KEYS,
    "AWS_LAMBDA_FUNCTION_NAME": "api",
    "AWS_REGION": "eu-central-1",
    "AWS_DEFAULT_REGION": "eu-central-1",
}
AMPLE = DynamoTimeouts(20.0, 20.0)
CLAIM = request("claim", "first")
TEXTS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)

# A function's module: who answers, and whether botocore was loaded by then.
STARTED = """
import json, sys, time
from fastapi import FastAPI
from tidegate import lambda_handler, policy, protect

app = FastAPI()
protect(app)

@app.post("/orders", status_code=201)
@policy(idempotent=True)
async def create() -> dict[str, bool]:
    return {"loaded": "botocore" in sys.modules}

handler = lambda_handler(app)
event = json.loads(sys.stdin.read())

class Context:
    function_name, function_version, aws_request_id = "api", "1", "one"
    memory_limit_in_mb, invoked_function_arn = 512, "arn:aws:lambda:us-east-1:000000000000:function:api:live"
    def get_remaining_time_in_millis(self):
        return 20_000

def ask():
    event["requestContext"]["requestTimeEpoch"] = time.time_ns() // 1_000_000  # what has waited is shed
    return handler(event, Context())

answers = [ask() for _ in range(2)]
print("ANSWERS", json.dumps([[answer["statusCode"], answer["body"]] for answer in answers]))
"""


class Unmade(DynamoClient):
    """A client whose first calls are made without botocore, though this process has loaded it."""

    def __init__(self, address: str, timeouts: DynamoTimeouts = AMPLE, **options: Any) -> None:
        super().__init__(timeouts, endpoint_url=address, **options)
        endpoint = Endpoint.of({}, address, "us-east-1")
        assert endpoint is not None
        self._first = FirstCalls(endpoint, timeouts, KEYS)


@pytest.fixture
def unmade(dynamo: DynamoServer) -> Iterator[DynamoClient]:
    client = Unmade(dynamo.endpoint_url)
    yield client
    client.close()


# ── what is sent ────────────────────────────────────────────────────────────────────────────────────────────


@given(
    fields=st.dictionaries(st.sampled_from(["x-amz-target", "content-type", "x-a"]), TEXTS),
    body=st.binary(),
    token=TEXTS | st.none(),
)
def test_a_field_s_signature_is_botocore_s(fields, body, token):
    theirs = AWSRequest("POST", "https://dynamodb.eu-central-1.amazonaws.com/", headers=dict(fields), data=body)
    SigV4Auth(Credentials("AKID", "secret/+", token), "dynamodb", "eu-central-1").add_auth(theirs)
    signed_at = calendar.timegm(time.strptime(theirs.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ"))
    named = {"host": "dynamodb.eu-central-1.amazonaws.com", **fields}
    ours = signed_fields(named, body, Keys("AKID", "secret/+", token), Scope("eu-central-1", "dynamodb"), signed_at)
    assert ours["authorization"] == theirs.headers["Authorization"]
    assert ours.get("x-amz-security-token") == token


@pytest.mark.parametrize(
    ("more", "host"),
    [
        ({}, "dynamodb.eu-central-1.amazonaws.com"),
        ({"AWS_ENDPOINT_URL": "http://engine:4566/"}, "engine:4566"),
        ({"AWS_ENDPOINT_URL": "http://engine:4566", "AWS_ENDPOINT_URL_DYNAMODB": "https://own"}, "own"),
        (
            {"AWS_SESSION_TOKEN": "t", "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR", "AWS_LAMBDA_LOG_LEVEL": "INFO"},
            "dynamodb.",
        ),
    ],
)
def test_on_lambda_the_first_calls_go_where_botocore_s_would(monkeypatch, more, host):
    calls = started(monkeypatch, ON_LAMBDA | more)
    assert calls is not None
    assert calls._endpoint.host.startswith(host)


@pytest.mark.parametrize(
    "more",
    [
        {"AWS_LAMBDA_FUNCTION_NAME": None},
        {"AWS_ACCESS_KEY_ID": None},
        {"AWS_DEFAULT_REGION": None},
        {"AWS_DEFAULT_REGION": "cn-north-1"},
        {"AWS_DEFAULT_REGION": "us-gov-west-1"},
        {"AWS_PROFILE": "own"},
        {"AWS_USE_FIPS_ENDPOINT": "true"},
        {"AWS_CA_BUNDLE": "/ca.pem"},
        {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
        {"AWS_SOMETHING_NEW": "1"},
        {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/otel-instrument"},
        {"https_proxy": "http://proxy:3128"},
        {"AWS_ENDPOINT_URL": "http://engine:4566/some/path"},
    ],
    ids=str,
)
def test_where_more_is_said_botocore_makes_the_first_call_too(monkeypatch, more):
    assert started(monkeypatch, ON_LAMBDA | more) is None


def test_where_botocore_is_loaded_it_makes_the_first_call(monkeypatch):
    for name, value in ON_LAMBDA.items():
        monkeypatch.setenv(name, value)
    assert "botocore" in sys.modules
    assert first_calls(AMPLE) is None


def started(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str | None], files: tuple[Path, ...] = ()
) -> FirstCalls | None:
    """What makes the first calls of a process that has these variables, and hasn't loaded botocore."""
    for name in [name for name in os.environ if name.startswith("AWS_") or name.upper() in module._OTHERS]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(module, "_FILES", tuple(map(str, files)))
    for name, value in environ.items():
        if value is not None:
            monkeypatch.setenv(name, value)
    monkeypatch.setattr(module, "sys", SimpleNamespace(modules={}))
    return first_calls(AMPLE)


def test_a_configuration_file_is_botocore_s_to_read(monkeypatch, tmp_path):
    (tmp_path / "config").write_text("[default]\nuse_dualstack_endpoint = true\n")
    assert started(monkeypatch, ON_LAMBDA, files=(tmp_path / "none",)) is not None
    assert started(monkeypatch, ON_LAMBDA, files=(tmp_path / "none", tmp_path / "config")) is None


# ── what comes back ─────────────────────────────────────────────────────────────────────────────────────────

ITEM = {
    "pk": {"S": "ü"},
    "bytes": {"B": b"\x00\xff"},
    "many": {"BS": [b"a", b"\xfe"]},
    "map": {"M": {"B": {"S": "no bytes"}, "n": {"N": "1.5"}, "inner": {"B": b"\x01"}}},
    "list": {"L": [{"B": b""}, {"NULL": True}]},
}


def test_an_item_comes_back_as_botocore_would_return_it(dynamo, library_table, unmade):
    unmade.call("PutItem", TableName=library_table, Item=ITEM)
    asked = {"TableName": library_table, "Key": {"pk": ITEM["pk"]}, "ConsistentRead": True}
    answer = unmade.call("GetItem", **asked)
    client = dynamo.client()
    theirs = client.get_item(**asked)
    client.close()
    assert answer["Item"] == theirs["Item"] == ITEM
    assert answer["ResponseMetadata"].keys() >= {"HTTPStatusCode", "HTTPHeaders", "RetryAttempts"}


def test_a_write_that_its_condition_forbids_returns_the_item(library_table, unmade):
    put = {"TableName": library_table, "Item": ITEM, "ConditionExpression": "attribute_not_exists(pk)"}
    assert unmade.write("PutItem", **put) == Written(done=True, item={})
    assert unmade.write("PutItem", **put) == Written(done=False, item=ITEM)


def test_a_refusal_says_what_botocore_s_error_says(dynamo):
    asked = {"TableName": "none", "Key": {"pk": {"S": "a"}}}
    with pytest.raises(CallError) as ours:
        FirstCalls(Endpoint("http", dynamo.endpoint_url.removeprefix("http://"), "us-east-1"), AMPLE, KEYS).call(
            "GetItem", asked
        )
    client = dynamo.client()
    with pytest.raises(ClientError) as theirs:
        client.get_item(**asked)
    client.close()
    assert ours.value.response["Error"] == {name: theirs.value.response["Error"][name] for name in ("Code", "Message")}


def test_answers_are_heard_with_their_date(dynamo, library_table):
    heard: list[Any] = []

    class Ear:
        def sent_us(self) -> int:
            return 1

        def heard(self, answer: Any, sent_us: int) -> None:
            heard.append((answer["ResponseMetadata"]["HTTPHeaders"]["date"], sent_us))

    client = Unmade(dynamo.endpoint_url, listener=Ear())
    client.call("GetItem", TableName=library_table, Key={"pk": {"S": "a"}})
    client.close()
    assert [sent_us for _, sent_us in heard] == [1]


# ── faults ──────────────────────────────────────────────────────────────────────────────────────────────────

FAULTS: dict[str, tuple[Callable[[TcpProxy, HttpFaults], object], str]] = {
    "refused": (lambda proxy, _: proxy.refuse(), "refused"),
    "never answers": (lambda proxy, _: proxy.hang(), "timeout"),
    "half a reply": (lambda proxy, _: proxy.half_reply(30), "timeout"),
    "reset in mid-reply": (lambda proxy, _: proxy.reset(after_bytes=30), "reset"),
    "throttled": (lambda _, errors: errors.fail(THROTTLED), "throttled"),
    "server error": (lambda _, errors: errors.fail(INTERNAL), "server-error"),
    "expired token": (lambda _, errors: errors.fail(EXPIRED), "authentication"),
}


@pytest.mark.parametrize(("begin", "kind"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_one_error_and_leaves_nothing_behind(http_faults, tcp_proxy, library_table, begin, kind):
    proxy = tcp_proxy(http_faults.port)
    client = Unmade(f"http://{proxy.host}:{proxy.port}", DynamoTimeouts(0.5, 0.5))
    claims = DynamoClaims(client, library_table, SystemClock())
    begin(proxy, http_faults)
    assert kind_of(lambda: claims.recall(CLAIM), store="dynamodb", within_s=10) == kind
    proxy.pass_through()
    http_faults.heal()
    assert answered(lambda: claims.claim(CLAIM)) == Granted()
    client.close()


def test_a_claim_whose_acknowledgement_was_lost_is_granted_at_once(http_faults, tcp_proxy, library_table):
    proxy = tcp_proxy(http_faults.port)
    client = Unmade(f"http://{proxy.host}:{proxy.port}", DynamoTimeouts(5.0, 2.0, attempts=2))
    claims = DynamoClaims(client, library_table, SystemClock())
    proxy.half_reply(0, once=True)
    assert claims.claim(CLAIM) == Granted()
    assert claims.complete(CLAIM, b"answer")
    client.close()


def test_a_connection_that_the_server_has_closed_is_not_used_again(tcp_proxy, dynamo, library_table):
    proxy = tcp_proxy(dynamo.port)
    client = Unmade(f"http://{proxy.host}:{proxy.port}")
    asked = {"TableName": library_table, "Key": {"pk": {"S": "a"}}}
    client.call("GetItem", **asked)
    client.call("GetItem", **asked)
    assert proxy.open_connections == 1
    proxy.reset()
    proxy.pass_through()
    client.call("GetItem", **asked)
    client.close()


def test_calls_at_once_have_a_connection_each(library_table, unmade):
    failed: list[BaseException] = []

    def ask(number: int) -> None:
        try:
            for _ in range(10):
                item = {"pk": {"S": f"thread-{number}"}, "n": {"N": str(number)}}
                unmade.call("PutItem", TableName=library_table, Item=item)
                answer = unmade.call("GetItem", TableName=library_table, Key={"pk": item["pk"]}, ConsistentRead=True)
                assert answer["Item"] == item
        except BaseException as error:  # noqa: BLE001  told to the test
            failed.append(error)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


def test_what_something_on_the_way_answers_is_no_answer():
    for content in (b"<html>busy</html>", b"[]", b""):
        with pytest.raises(CallError) as told:
            module._read(503, {}, content)
        assert told.value.response["Error"] == {"Code": "503", "Message": ""}


def test_once_it_is_made_botocore_s_client_makes_the_calls(library_table, unmade, monkeypatch):
    asked = {"TableName": library_table, "Key": {"pk": {"S": "a"}}}
    unmade.call("GetItem", **asked)
    assert unmade._client is None
    unmade.warm()
    monkeypatch.setattr(FirstCalls, "call", None)
    unmade.call("GetItem", **asked)


# ── a whole start ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("more", "loaded"),
    [({}, False), ({"TIDEGATE_REDIS_URL": ""}, False), ({"AWS_MAX_ATTEMPTS": "1"}, True)],
    ids=["first calls", "first calls, no Redis", "botocore"],
)
def test_a_cold_start_s_order_is_taken_without_botocore(redis_url, dynamo, library_table, more, loaded, tmp_path):
    event = rest_event("POST", "/orders", headers={"Idempotency-Key": '"one"'}, api_key_id="caller")
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": f"{Path(tidegate.__file__).parents[1]}",
        "TIDEGATE_TABLE": library_table,
        "TIDEGATE_REDIS_URL": redis_url,
        "AWS_ENDPOINT_URL": dynamo.endpoint_url,
        **ON_LAMBDA,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        **more,
    }
    done = subprocess.run(
        [sys.executable, "-c", STARTED],
        env=environ,
        input=json.dumps(event),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    [line] = [line for line in done.stdout.splitlines() if line.startswith("ANSWERS ")]
    answers = json.loads(line.removeprefix("ANSWERS "))
    assert answers == [[201, json.dumps({"loaded": loaded}, separators=(",", ":"))]] * 2
