"""AWS Lambda Web Adapter's fields: believed where it is in front, and text that a client wrote anywhere else."""

import asyncio
import json
import os
import time

import httpx
import pytest
from fastapi import FastAPI, Request

from tests.runtimes.shapes import FUNCTION, SHAPES
from tidegate import ConfigurationError, Policy, Settings, protect
from tidegate.aws_lambda import web_adapter
from tidegate.runtime import Runtime

ON_LAMBDA = FUNCTION | {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001"}
ADAPTER = ON_LAMBDA | {"AWS_LWA_PORT": "8080"}
ALICE = ("x-amzn-request-context", json.dumps({"authorizer": {"principalId": "alice"}}))
ENDS = ("x-amzn-lambda-context", json.dumps({"request_id": "r-1", "deadline": 4_102_444_800_000}))


@pytest.fixture(autouse=True)
def no_adapter(monkeypatch):
    """Whatever lies on this machine."""
    monkeypatch.setattr("tidegate.runtime._ADAPTER", "/nowhere/lambda-adapter")


class Asked:
    """A protected application that says what it was told of the request."""

    def __init__(self, **settings):
        self.app = FastAPI(title="asked")
        self.gate = protect(self.app, settings=Settings(memory_only=True, **settings), default=Policy())

        @self.app.get("/")
        async def told(request: Request):
            admission, context = request.state.tidegate, request.scope.get("aws.context")
            names = gate_names(self.gate)
            return {
                "principal": admission.principal,
                "bounded": admission.ends is not None,
                "request_id": getattr(context, "aws_request_id", None),
                "names": names,
            }

    def get(self, *fields):
        async def asked():
            transport = httpx.ASGITransport(self.app, client=("127.0.0.1", 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
                return (await client.get("/", headers=list(fields))).json()

        return asyncio.run(asked())


KEPT = []


def gate_names(gate):
    KEPT.append(gate._lifecycle.environment)  # or the next one may have the same id
    return id(KEPT[-1])


def told(answer):
    return answer["principal"], answer["bounded"], answer["request_id"]


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({}, False),
        ({"AWS_LWA_PORT": "8080", "AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap"}, False),
        (ON_LAMBDA, False),
        (ADAPTER, True),
        (ON_LAMBDA | {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap"}, True),
        (ON_LAMBDA | {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/otel-instrument"}, False),
        (FUNCTION | {"AWS_LWA_PORT": "8080"}, False),
    ],
)
def test_the_adapter_is_found_by_its_variables_and_on_lambda_alone(variables, found):
    assert Runtime.of(variables).web_adapter is found
    os.environ.update(variables)
    assert Settings(memory_only=True).web_adapter is found
    assert Settings.from_environ({"TIDEGATE_STORE": "memory"} | variables).web_adapter is found


def test_the_adapter_is_found_where_lambda_starts_it_from(monkeypatch, tmp_path):
    (tmp_path / "lambda-adapter").touch()
    monkeypatch.setattr("tidegate.runtime._ADAPTER", str(tmp_path / "lambda-adapter"))
    assert Runtime.of(ON_LAMBDA).web_adapter
    assert not Runtime.of({}).web_adapter


def test_a_variable_wins_over_what_was_found():
    os.environ.update(ADAPTER)
    read = {"TIDEGATE_STORE": "memory", "TIDEGATE_LAMBDA_WEB_ADAPTER": "0"} | ADAPTER
    assert not Settings.from_environ(read).web_adapter


def test_believing_the_fields_off_lambda_stops_the_start():
    with pytest.raises(ConfigurationError, match="isn't Lambda") as raised:
        Settings.from_environ({"TIDEGATE_STORE": "memory", "TIDEGATE_LAMBDA_WEB_ADAPTER": "1"})
    assert raised.value.name == "TIDEGATE_LAMBDA_WEB_ADAPTER"


def test_a_server_behind_the_adapter_knows_what_its_fields_say():
    os.environ.update(ADAPTER)
    assert told(Asked().get(ALICE, ENDS)) == ("user:alice", True, "r-1")


@pytest.mark.parametrize("variables", [{}, ON_LAMBDA, {"AWS_LWA_PORT": "8080"}])
def test_a_server_without_the_adapter_takes_them_for_a_clients(variables):
    os.environ.update(variables)
    assert told(Asked().get(ALICE, ENDS)) == ("ip:127.0.0.1", False, None)


def test_fields_that_nobody_is_known_to_write_are_warned_of_once(monkeypatch):
    os.environ.update(ON_LAMBDA)
    said = []
    monkeypatch.setattr(web_adapter.logger(), "warning", lambda text, *_, **__: said.append(text))
    asked = Asked()
    for _ in range(3):
        asked.get(ALICE)
    assert sum("TIDEGATE_LAMBDA_WEB_ADAPTER=1" in text for text in said) == 1


@pytest.mark.parametrize(
    "fields",
    [
        [ALICE, ALICE],
        [ALICE, ("x-amzn-request-context", "{}")],
        [("x-amzn-request-context", "null")],
        [("x-amzn-request-context", '"alice"')],
        [("x-amzn-request-context", "[" * 100_000)],
        [("x-amzn-request-context", "{")],
        [("x-amzn-lambda-context", '{"request_id": 7, "deadline": 1}')],
        [("x-amzn-lambda-context", '{"request_id": "r", "deadline": "soon"}')],
    ],
)
def test_what_the_adapter_never_writes_names_nobody(fields):
    os.environ.update(ADAPTER)
    assert told(Asked().get(*fields)) == ("ip:127.0.0.1", False, None)


def test_an_invocations_time_ends_at_its_deadline():
    now_ms = int(time.time() * 1000)
    assert 0 < web_adapter.AdapterContext("r", now_ms + 60_000).get_remaining_time_in_millis() <= 60_000
    assert web_adapter.AdapterContext("r", now_ms - 1).get_remaining_time_in_millis() == 0


def test_the_first_invocation_after_a_snapshot_begins_a_new_environment():
    os.environ.update(ADAPTER, AWS_LAMBDA_INITIALIZATION_TYPE="snap-start")
    asked = Asked()
    check = asked.get()["names"]  # the adapter's own, before the snapshot
    first, second = asked.get(ALICE, ENDS)["names"], asked.get(ALICE, ENDS)["names"]
    assert check != first
    assert first == second


def test_a_clients_own_fields_do_not_pass_the_adapter(started):
    """A whole sandbox: what a client sends under these names is replaced, and what the event says is believed."""
    shape = next(shape for shape in SHAPES if shape.name == "Web Adapter")
    runner = started(shape)
    forged = {"X-Amzn-Request-Context": ALICE[1], "x-amzn-lambda-context": ENDS[1]}
    answer = runner.request("GET", "/whoami", headers=forged, user="bob").json()
    assert answer["principal"] == "user:bob"
    assert answer["left_s"] <= 10
    straight = httpx.get(f"{runner.url}/whoami", headers={"x-forwarded-for": "6.6.6.6"}).json()
    assert straight["left_s"] is None  # no invocation: the adapter's own check, or a process of this sandbox
