"""Functions run by LocalStack as processes."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

pytestmark = pytest.mark.localstack

ECHO = """
import os
print("initialised")

def handler(event, context):
    print("running", context.aws_request_id)
    return {"event": event, "pid": os.getpid(), "environ": dict(os.environ), "version": context.function_version}
"""


def test_a_function_runs_with_lambdas_variables(localstack, make_function):
    invoke = make_function(localstack, "echo", ECHO, MemorySize=256, Environment={"Variables": {"OWN": "value"}})
    answer = invoke({"a": 1})
    environ = answer["environ"]
    assert answer["event"] == {"a": 1}
    assert environ["AWS_LAMBDA_FUNCTION_NAME"] == "echo"
    assert environ["AWS_LAMBDA_FUNCTION_VERSION"] == answer["version"] == "$LATEST"
    assert environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert environ["AWS_LAMBDA_INITIALIZATION_TYPE"] == "on-demand"
    assert environ["AWS_ENDPOINT_URL"] == localstack.url
    assert environ["_HANDLER"] == "app.handler"
    assert environ["OWN"] == "value"
    assert environ["AWS_SESSION_TOKEN"]
    assert environ["AWS_LAMBDA_RUNTIME_API"].startswith("127.0.0.1:")
    assert invoke()["pid"] == answer["pid"]


def test_what_it_prints_is_in_cloudwatch_and_in_the_tail(localstack, make_function, eventually):
    make_function(localstack, "printing", ECHO)
    answer = localstack.client("lambda").invoke(FunctionName="printing", LogType="Tail")
    tail = base64.b64decode(answer["LogResult"]).decode()
    identity = answer["ResponseMetadata"]["RequestId"]
    assert f"running {identity}" in tail
    lines = eventually(lambda: _logged(localstack, "/aws/lambda/printing"))
    assert [line.split()[0] for line in lines] == ["START", "initialised", "running", "END", "REPORT"]


def test_a_function_that_cannot_be_imported_answers_so_and_logs_it(localstack, make_function, eventually):
    invoke = make_function(localstack, "broken", "import nothing_of_this_name")
    assert invoke()["errorType"] == "Runtime.ImportModuleError"
    lines = eventually(lambda: _logged(localstack, "/aws/lambda/broken"))
    assert any("nothing_of_this_name" in line for line in lines)


def test_a_function_that_takes_too_long_answers_so(localstack, make_function):
    invoke = make_function(localstack, "slow", "import time\ndef handler(e, c): time.sleep(600)\n", Timeout=1)
    assert invoke()["errorType"] == "Sandbox.Timedout"


def test_layers_are_loaded(localstack, make_function, zipped):
    layer = localstack.client("lambda").publish_layer_version(
        LayerName="words", Content={"ZipFile": zipped({"python/words.py": "WORD = 'from the layer'"})}
    )
    code = "import words\ndef handler(e, c): return words.WORD\n"
    assert make_function(localstack, "layered", code, Layers=[layer["LayerVersionArn"]])() == "from the layer"


def test_provisioned_environments_are_started_beforehand_or_said_to_fail(localstack, make_function, eventually):
    client = localstack.client("lambda")
    for name, code, expected in (("ready", ECHO, "READY"), ("never", "import nothing_of_this_name", "FAILED")):
        invoke = make_function(localstack, name, code)
        client.publish_version(FunctionName=name)
        version = {"FunctionName": name, "Qualifier": "1"}
        client.put_provisioned_concurrency_config(**version, ProvisionedConcurrentExecutions=2)
        status = eventually(lambda: _provisioned(client, version))  # noqa: B023 - called at once
        assert status == expected
        if expected == "READY":
            answer = invoke(Qualifier="1")
            assert answer["environ"]["AWS_LAMBDA_INITIALIZATION_TYPE"] == "provisioned-concurrency"


def test_another_language_is_refused_with_the_reason(localstack, eventually, zipped):
    client = localstack.client("lambda")
    role = "arn:aws:iam::000000000000:role/functions"
    client.create_function(
        FunctionName="node", Runtime="nodejs22.x", Handler="a.b", Role=role, Code={"ZipFile": zipped({"a.js": ""})}
    )
    state = eventually(
        lambda: (found := client.get_function_configuration(FunctionName="node"))["State"] == "Failed" and found
    )
    assert "zipped Python functions" in state["StateReason"]


def test_an_invocation_survives_an_update_of_its_code(localstack, make_function, tmp_path, eventually, zipped):
    code = f"""
import pathlib, time
folder = pathlib.Path({str(tmp_path)!r})

def handler(event, context):
    (folder / "begun").touch()
    while not (folder / "go").exists():
        time.sleep(0.01)
    import late
    return late.WORD
"""
    make_function(localstack, "updated", "def handler(e, c): pass\n")
    client = localstack.client("lambda")
    files = zipped({"app.py": code, "late.py": "WORD = 'old'"})
    client.update_function_code(FunctionName="updated", ZipFile=files)
    client.get_waiter("function_updated_v2").wait(FunctionName="updated")
    with ThreadPoolExecutor(max_workers=1) as threads:
        old = threads.submit(lambda: json.loads(client.invoke(FunctionName="updated")["Payload"].read()))
        eventually((tmp_path / "begun").exists)
        again = localstack.client("lambda")
        newer = zipped({"app.py": "def handler(e, c): return 'new'\n"})
        again.update_function_code(FunctionName="updated", ZipFile=newer)
        again.get_waiter("function_updated_v2").wait(FunctionName="updated")
        new = json.loads(again.invoke(FunctionName="updated")["Payload"].read())
        (tmp_path / "go").touch()
        assert (new, old.result()) == ("new", "old")


def _logged(localstack, group):
    logs = localstack.client("logs")
    try:
        streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
    except logs.exceptions.ResourceNotFoundException:
        return []
    return [
        event["message"].strip()
        for stream in streams
        for event in logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]
    ]


def _provisioned(client, version):
    status = client.get_provisioned_concurrency_config(**version)["Status"]
    return status != "IN_PROGRESS" and status
