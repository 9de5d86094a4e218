"""The canary in somebody else's stack, on the embedded engine: a CDK app of its own, with functions of its own.

What its versions do is known from CloudWatch's metrics alone. A minute is read a second after its end, since the engine
publishes at once; on AWS it is a minute later.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.e2e.deployed_stack import DeployedStack
from tests.harness.engine_choice import ENGINE
from tests.harness.fitted_template import fitted
from tidegate_local.engines.embedded import Embedded
from tidegate_local.engines.engine import PROCESS
from tidegate_local.layout import StateFolder
from tidegate_local.registry import ProcessRegistry

pytestmark = [
    pytest.mark.slow,
    pytest.mark.e2e,
    pytest.mark.skipif(ENGINE != "embedded", reason="the other engines know no custom resource"),
]
APP = """
from dataclasses import replace

from aws_cdk import App, CfnOutput, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as lambda_
from tidegate_cdk import LAMBDA_METRICS, JudgedRelease, Rollout

app = App(outdir="cdk.out")
stack = Stack(app, app.node.get_context("name"))
python = lambda_.Function(
    stack, "Python", runtime=lambda_.Runtime.PYTHON_3_13, handler="index.handler",
    code=lambda_.Code.from_asset("python"),
)
node = lambda_.Function(
    stack, "Node", runtime=lambda_.Runtime.NODEJS_22_X, handler="index.handler",
    code=lambda_.Code.from_asset("node"),
)
release = JudgedRelease(
    stack, "Release", functions=[python, node], smoke=["/"], metrics=replace(LAMBDA_METRICS, settled_s=1),
    rollout=Rollout(
        weights=(50,), look_s=5, least_s=241, last_most_s=245, last_unproven="advance", bake_s=0, warm=1
    ),
)
api = apigateway.LambdaRestApi(stack, "Api", handler=release.alias(python))
CfnOutput(stack, "ApiId", value=api.rest_api_id)
CfnOutput(stack, "PythonName", value=python.function_name)
CfnOutput(stack, "NodeName", value=node.function_name)
CfnOutput(stack, "Ledger", value=release.table.table_name)
app.synth()
"""
PYTHON = """
# a release{word}
import random

def handler(event, context):
    if random.random() < {failing}:
        raise RuntimeError("a bad release")
    return {{"statusCode": 200, "body": context.function_version}}
"""
NODE = """
exports.handler = async (event, context) => ({{statusCode: 200, body: context.functionVersion + "{word}"}})
"""


@pytest.fixture
def _a_redis_that_is_up():
    """In place of the other tests' cloud: this one has its own."""


@pytest.fixture
def engine(tmp_path_factory, monkeypatch):
    # Where the environment has a Node for the functions.
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    folder = StateFolder(tmp_path_factory.mktemp("engine"))
    registry = ProcessRegistry(folder.processes_file)
    try:
        yield Embedded().ensure(folder, registry)
    finally:
        registry.stop(PROCESS)


class Hello(DeployedStack):
    """The outsider's project in a folder of its own, and its stack."""

    def __init__(self, url, project, name):
        super().__init__(url, name, deadline_s=360)
        self._project = project
        project.mkdir()
        (project / "app.py").write_text(APP)

    def synthesized(self, failing=0.0, word=""):
        """Write the functions' sources, synthesize, upload the assets and return the template."""
        for name, text in (
            ("python/index.py", PYTHON.format(failing=failing, word=word)),
            ("node/index.js", NODE.format(word=word)),
        ):
            (self._project / name).parent.mkdir(exist_ok=True)
            (self._project / name).write_text(text)
        environ = {**os.environ, "CDK_CONTEXT_JSON": json.dumps({"name": self.name})}
        subprocess.run([sys.executable, "app.py"], cwd=self._project, env=environ, check=True, capture_output=True)
        assembly = self._project / "cdk.out"
        self.upload(assembly)
        template, left_out = fitted(json.loads((assembly / f"{self.name}.template.json").read_text()), "")
        assert left_out <= {"AWS::CDK::Metadata", "AWS::ApiGateway::Account"}
        return template

    def versions(self):
        """The versions of both functions' aliases, and the weights of others beside them."""
        outputs, found = self.outputs(), []
        with self.aws("lambda") as functions:
            for name in ("PythonName", "NodeName"):
                alias = functions.get_alias(FunctionName=outputs[name], Name="live")
                weights = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
                found.append((alias["FunctionVersion"], weights))
        return found

    def ledger(self):
        """The last release, as the ledger has it."""
        with self.aws("dynamodb") as tables:
            items = tables.scan(TableName=self.outputs()["Ledger"])["Items"]
        (item,) = (item for item in items if "doing" in item)
        return {name: value.get("S") for name, value in item.items()}

    @contextmanager
    def traffic(self):
        """Have clients ask both functions during the block, and count what they were told."""
        outputs, told, stop = self.outputs(), Counter(), threading.Event()
        threads = [
            threading.Thread(target=client, args=(self, outputs, told, stop))
            for client in (_ask_api, _ask_api, _invoke_node)
        ]
        for thread in threads:
            thread.start()
        try:
            yield told
        finally:
            stop.set()
            for thread in threads:
                thread.join()


def _ask_api(stack, outputs, told, stop):
    address = f"{stack.url}/restapis/{outputs['ApiId']}/prod/_user_request_/"
    with httpx.Client(timeout=30) as http:
        while not stop.wait(0.15):
            told["python", http.get(address).status_code] += 1


def _invoke_node(stack, outputs, told, stop):
    with stack.aws("lambda") as functions:
        while not stop.wait(0.15):
            answer = functions.invoke(FunctionName=outputs["NodeName"], Qualifier="live", Payload=b"{}")
            told["node", "FunctionError" not in answer] += 1


def released(stack, failing, word):
    """Release other sources of both functions while clients ask them: the stack's status and what clients were told."""
    template = stack.synthesized(failing, word)
    with stack.traffic() as told:
        return stack.update(template), told


def test_a_good_release_is_promoted_and_a_bad_one_taken_back(engine, tmp_path):
    good, bad = (Hello(engine.url, tmp_path / name, name) for name in ("Good", "Bad"))
    for stack in (good, bad):
        assert stack.create(stack.synthesized()) == "CREATE_COMPLETE", stack.reasons()
        assert stack.versions() == [("1", {}), ("1", {})]

    with ThreadPoolExecutor(2) as pool:
        promoted, taken_back = pool.submit(released, good, 0.0, "!"), pool.submit(released, bad, 0.5, "!")

    status, told = promoted.result()
    assert status == "UPDATE_COMPLETE", good.reasons()
    assert good.versions() == [("2", {}), ("2", {})]
    assert set(told) == {("python", 200), ("node", True)}
    live = json.loads(good.ledger()["live"])
    assert live["canary"]["requests"] > 100, "CloudWatch's counts of it were read"
    assert live["stable"]["requests"] > 100
    assert live["canary"]["p95_us"]

    status, told = taken_back.result()
    assert status == "UPDATE_ROLLBACK_COMPLETE", bad.reasons()
    assert bad.versions() == [("1", {}), ("1", {})]
    assert told["python", 502]
    assert ("node", False) not in told
    assert any("At 50 %" in reason for reason in bad.reasons()), bad.reasons()

    assert good.delete() == "DELETE_COMPLETE", good.reasons()
