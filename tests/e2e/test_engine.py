"""The engine under the deployed API: the one that was asked for, on loopback alone, reached by localstack-client."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest
from botocore.exceptions import ClientError
from localstack_client.session import Session

from tests.harness.engine_choice import ENGINE
from tests.harness.listening import listening_addresses

pytestmark = pytest.mark.e2e


def tidegate(cloud, *words):
    command = [sys.executable, "-m", "tidegate_local", *words]
    return subprocess.run(command, env=cloud.environ, capture_output=True, text=True, timeout=120, check=False)


def test_the_cloud_is_on_the_engine_that_was_asked_for(cloud):
    assert cloud.state["engine"] == ENGINE
    assert cloud.state["software"] == ("ministack" if ENGINE == "embedded" else "localstack")


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_it_listens_on_loopback_alone(cloud):
    if "engine" not in cloud.state["pids"]:
        pytest.skip("the engine is no process here; what Docker publishes is in localstack/compose.yaml")
    assert listening_addresses(cloud.state["pids"]["engine"]) == {"127.0.0.1"}


def test_localstack_client_finds_it_by_the_environment(cloud, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.state["endpoint_url"])
    client, outputs = Session().client("lambda"), cloud.state["outputs"]
    found = client.get_function_configuration(FunctionName=outputs["FunctionName"], Qualifier=outputs["AliasName"])
    assert found["Environment"]["Variables"]["TIDEGATE_REDIS_URL"] == cloud.state["redis_url"]
    client.close()


def test_status_shows_it_well(cloud):
    shown = tidegate(cloud, "status")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert ENGINE in shown.stdout


def test_what_a_function_logs_is_read_from_it(cloud):
    cloud.get("/v1/products/none")
    lines = tidegate(cloud, "logs", "--no-follow").stdout.splitlines()
    told = [json.loads(line) for line in lines if line.startswith("{")]
    assert any(line.get("route") == "/v1/products/{product_id}" for line in told), lines[-20:]


def test_what_it_cannot_make_is_not_taken_for_made(cloud):
    canary = {"Type": "AWS::Synthetics::Canary", "Properties": {"Name": "a-canary"}}
    with cloud.aws("cloudformation") as stacks:
        try:
            stacks.create_stack(StackName="a-canary", TemplateBody=json.dumps({"Resources": {"Canary": canary}}))
        except ClientError:
            return
        deadline = time.monotonic() + 60
        while (status := stacks.describe_stacks(StackName="a-canary")["Stacks"][0]["StackStatus"]).endswith("PROGRESS"):
            assert time.monotonic() < deadline, status
            time.sleep(0.1)
        stacks.delete_stack(StackName="a-canary")
    assert status in {"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"}
