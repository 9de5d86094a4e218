"""The commands that look at a cloud: against an engine that has just what they read."""

import contextlib
import itertools
import json
import shlex
import socket
import time
from dataclasses import asdict, replace
from importlib.metadata import version
from urllib.parse import urlsplit

import httpx
import pytest
from rich.console import Console
from typer.testing import CliRunner

from tests.local.deployed_function import deploy_function
from tidegate_local import cloud, dev, ports
from tidegate_local.cli.commands import app
from tidegate_local.cli.shown import show_access
from tidegate_local.engines.containers import Containers
from tidegate_local.errors import LocalCloudError
from tidegate_local.lifecycle import status
from tidegate_local.project_facts import ProjectFacts
from tidegate_local.registry import ManagedProcess, ProcessRegistry
from tidegate_local.stacks import tables
from tidegate_local.state import LocalState
from tidegate_local.telemetry import logs

FUNCTION = "shop"


@pytest.fixture(scope="module")
def product_table(running_engine):
    with contextlib.closing(cloud.client("dynamodb", running_engine.url)) as dynamodb:
        dynamodb.create_table(
            TableName="products",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
        yield dynamodb


@pytest.fixture
def state(folder, running_engine, redis_url) -> LocalState:
    """A cloud of which there is an engine, but no API."""
    state = LocalState(
        api_url=f"{running_engine.url}/_aws/execute-api/absent/api",
        endpoint_url=running_engine.url,
        redis_url=redis_url,
        engine="embedded",
        api_keys={"free": "f", "pro": "p", "internal": "i"},
        pids={},
        outputs={
            "FunctionName": FUNCTION,
            "AliasName": "live",
            "LogGroupName": "logs",
            "WorkerLogGroupName": "worker-logs",
        },
        started_at="",
        deployed="",
        stack_version="",
    )
    state.write(folder.state_file)
    return state


@pytest.fixture
def tidegate(folder, monkeypatch):
    """Runs a command of the cloud of this test; returns the result with its exit status."""
    monkeypatch.setenv("TIDEGATE_STATE_DIR", str(folder.path))
    return lambda *words: CliRunner().invoke(app, list(words))


@pytest.fixture(scope="module")
def released(running_engine):
    """The function with two versions behind its alias."""
    with contextlib.closing(cloud.client("lambda", running_engine.url)) as functions:
        deploy_function(functions, FUNCTION, "def handler(event, context):\n    return 1\n")
        functions.update_function_configuration(
            FunctionName=FUNCTION, Environment={"Variables": {"TIDEGATE_TABLE": "guard", "AWS_REGION": "us-east-1"}}
        )
        functions.get_waiter("function_updated_v2").wait(FunctionName=FUNCTION, WaiterConfig={"Delay": 0.05})
        functions.publish_version(FunctionName=FUNCTION)
        functions.update_function_configuration(FunctionName=FUNCTION, Description="the second")
        functions.get_waiter("function_updated_v2").wait(FunctionName=FUNCTION, WaiterConfig={"Delay": 0.05})
        functions.publish_version(FunctionName=FUNCTION)
        functions.create_alias(
            FunctionName=FUNCTION,
            Name="live",
            FunctionVersion="1",
            RoutingConfig={"AdditionalVersionWeights": {"2": 0.3}},
        )


def test_a_table_that_is_not_there_is_found(product_table, running_engine):
    outputs = {"ProductsTable": "products", "OrdersTable": "never-made", "ApiId": "no table"}
    assert tables.missing(running_engine.url, outputs) == ["never-made"]


def test_status_of_a_cloud_that_is_not_up(tidegate):
    result = tidegate("status")
    assert result.exit_code == 1
    assert "Start it with `make up`" in result.stderr


def test_status_shows_how_the_alias_splits_and_what_is_not_well(folder, state, released, running_engine, tidegate):
    # Not the `registry` fixture: that would stop what is on record, and the engine is the module's.
    ProcessRegistry(folder.processes_file).record(
        ManagedProcess("engine", running_engine.process.identity, running_engine.url, "any")
    )
    parts = {part.name: part for part in status.inspect(folder, state)}
    assert parts["engine"].state == f"embedded, running, pid {running_engine.process.identity.pid}"
    assert parts["redis"].state == "not ours"
    assert parts["shop:live"].state == "version 1 (70%), version 2 (30%)"
    assert not parts["api"].well
    result = tidegate("status")
    assert result.exit_code == 1
    assert "version 2 (30%)" in result.stdout
    result = tidegate("status", "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert told["outputs"]["FunctionName"] == FUNCTION
    assert {"name": "redis", "well": True, "state": "not ours", "where": state.redis_url} in told["parts"]


def test_it_says_its_version(tidegate):
    result = tidegate("--version")
    assert result.exit_code == 0
    assert result.stdout.split() == ["tidegate", version("tidegate"), "tidegate-local", version("tidegate-local")]


@pytest.mark.parametrize("words", [["nosuch"], ["up", "--engine", "nosuch"], ["layer", "build", "--arch", "mips"]])
def test_wrong_words_are_refused(tidegate, words):
    assert tidegate(*words).exit_code == 2


def test_status_of_a_cloud_whose_processes_died(folder, state, released, running_engine):
    gone = running_engine.process.identity.__class__(running_engine.process.identity.pid, "another time")
    ProcessRegistry(folder.processes_file).record(ManagedProcess("redis", gone, state.redis_url, "any"))
    parts = {part.name: part for part in status.inspect(folder, state)}
    assert (parts["redis"].state, parts["redis"].well) == ("not running", False)


def test_status_asks_a_redis_that_is_a_container_of_ours(folder, state, released, redis_url):
    def of_redis(port):
        run = Containers("p", 1, port)
        folder.containers_file.write_text(json.dumps(asdict(run)))
        parts = status.inspect(folder, replace(state, engine="localstack", redis_url=run.redis_url))
        return next((part.state, part.well) for part in parts if part.name == "redis")

    assert of_redis(urlsplit(redis_url).port) == ("container", True)
    assert of_redis(ports.free_port()) == ("container, no answer", False)


def test_dev_takes_the_deployed_functions_environment(state, released, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "the developer's")
    environ = dev.environment(state)
    assert environ["TIDEGATE_TABLE"] == "guard"
    assert environ["AWS_ENDPOINT_URL"] == state.endpoint_url
    assert environ["TIDEGATE_TRUST_API_KEY_HEADER"] == "1"
    assert "AWS_PROFILE" not in environ


@pytest.mark.parametrize("command", ["dev", "console"])
def test_a_port_that_is_taken_is_named(state, released, tidegate, command):
    with socket.create_server((ports.LOOPBACK, 0)) as taken:
        number = taken.getsockname()[1]
        result = tidegate(command, "--port", str(number))
    assert result.exit_code == 1
    assert f"Port {number} on 127.0.0.1 is taken: name another one" in result.stderr


def test_dev_without_a_deploy_says_what_to_do(state, running_engine):
    undeployed = LocalState(**{**state.__dict__, "outputs": {"FunctionName": "absent", "AliasName": "live"}})
    with pytest.raises(LocalCloudError, match="Run `make up`"):
        dev.environment(undeployed)


@pytest.fixture
def log(running_engine, state):
    """`log(line, ...)` writes lines of one invocation, as the engine does: in a stream of their own."""
    with contextlib.closing(cloud.client("logs", running_engine.url)) as client:
        for group in ("logs", "worker-logs"):
            client.create_log_group(logGroupName=group)
        serial = itertools.count()

        def write(*lines: str, group: str = "logs") -> None:
            stream, now = f"stream-{next(serial)}", int(time.time() * 1000)
            client.create_log_stream(logGroupName=group, logStreamName=stream)
            events = [{"timestamp": now, "message": line} for line in lines]
            client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)

        yield write
        for group in ("logs", "worker-logs"):
            client.delete_log_group(logGroupName=group)


def test_logs_are_the_functions_own_lines(log, state, tidegate):
    line = json.dumps({"message": "request", "path": "x" * 300})
    log("START RequestId: 1 Version: 1", line, "END RequestId: 1", "REPORT RequestId: 1\tDuration: 3 ms")
    assert tidegate("logs", "--no-follow").stdout == f"{line}\n"
    assert len(tidegate("logs", "--no-follow", "--platform").stdout.splitlines()) == 4
    assert tidegate("logs", "--no-follow", "--since", "0").stdout == ""


def test_logs_are_shown_without_what_only_cloudwatch_reads(log, state, tidegate):
    metrics = [{"Name": "requests", "Unit": "Count"}, {"Name": "duration_ms", "Unit": "Milliseconds"}]
    blob = {"Timestamp": 1, "CloudWatchMetrics": [{"Namespace": "Shop", "Dimensions": [[]], "Metrics": metrics}]}
    said = {"message": "request", "duration_ms": 3.2, "status": 200}
    log(json.dumps({**said, "requests": 1, "_aws": blob}), 'not "_aws": ours')
    shown = tidegate("logs", "--no-follow").stdout.splitlines()
    assert [json.loads(shown[0]), shown[1]] == [said, 'not "_aws": ours']


def test_followed_logs_come_once_each_even_if_they_are_equal(log, state, monkeypatch):
    monkeypatch.setattr(logs, "_POLL_S", 0.01)
    log("one", "one")
    following = logs.read(state, since_s=60, follow=True, platform=False)
    assert [next(following), next(following)] == ["one", "one"]
    log("two")
    log("one")
    assert sorted([next(following), next(following)]) == ["one", "two"]
    log("three")
    assert next(following) == "three"
    following.close()


def test_the_worker_s_lines_are_among_them(log, state, tidegate):
    log("asked")
    log("ran", group="worker-logs")
    assert sorted(tidegate("logs", "--no-follow").stdout.splitlines()) == ["asked", "ran"]


def test_logs_before_the_first_invocation_are_none(state):
    assert list(logs.read(state, since_s=60, follow=False, platform=False)) == []


def test_logs_of_an_engine_that_is_gone_are_an_error(state):
    gone = LocalState(**{**state.__dict__, "endpoint_url": "http://127.0.0.1:1"})
    with pytest.raises(LocalCloudError, match="does not answer"):
        list(logs.read(gone, since_s=60, follow=False, platform=False))


def test_an_unreachable_endpoint_is_one_line_and_exit_status_1(tidegate, redis_url, monkeypatch):
    monkeypatch.setenv("REDIS_URL", redis_url)
    result = tidegate("up", "--endpoint", "http://127.0.0.1:1")
    assert result.exit_code == 1
    assert "error: No LocalStack-compatible endpoint answers at http://127.0.0.1:1" in result.stderr
    assert "Traceback" not in result.output


def test_down_where_nothing_runs(tidegate):
    result = tidegate("down")
    assert (result.exit_code, result.stdout) == (0, "Nothing was running.\n")


def test_the_lines_to_try_are_shell_words(capsys):
    state = LocalState(
        "http://127.0.0.1:4566/a/api", "", "", "", {"free": "f", "pro": "p", "internal": "i"}, {}, {}, "", "", ""
    )
    show_access(Console(width=40), state, ProjectFacts.read().tries)
    tries = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  curl")]
    assert len(tries) == 3
    words = [shlex.split(line) for line in tries]
    assert words[0][-1] == "http://127.0.0.1:4566/a/api/v1/products"
    assert json.loads(words[1][words[1].index("-d") + 1])["items"]
    assert "Idempotency-Key: order-1" in words[1]
    assert httpx.URL(words[2][-1]).path == "/a/api/health"
