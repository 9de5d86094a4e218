"""A protected API in somebody else's stack, on the embedded engine: a CDK app of its own, asked over HTTP.

There is no Redis, so that DynamoDB decides.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from infra.artefacts import dependencies_layer
from tests.e2e.deployed_stack import DeployedStack
from tests.harness.engine_choice import ENGINE
from tests.harness.fitted_template import fitted
from tidegate_build.assets import Workspace
from tidegate_build.targets import HOST
from tidegate_local import cloud
from tidegate_local.engines.embedded import Embedded
from tidegate_local.engines.engine import PROCESS
from tidegate_local.layout import StateFolder
from tidegate_local.registry import ProcessRegistry

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(ENGINE != "embedded", reason="the other engines know no custom resource"),
]
ROOT = Path(__file__).parents[2]
# What an engine on a busy laptop takes: it has no API Gateway to say whose key it was, and no firewall.
APP = """
import os

from aws_cdk import App, CfnOutput, Stack
from aws_cdk import aws_lambda as lambda_
from tidegate_cdk import Edge, Keeping, ProtectedApi, Queue, Rates, Rollout

app = App(outdir="cdk.out")
stack = Stack(app, "Letters")
packages = lambda_.LayerVersion(stack, "Packages", code=lambda_.Code.from_asset("packages.zip"))
api = ProtectedApi(
    stack,
    "Api",
    code="src",
    handler="app.handler",
    layers=[packages],
    environment={
        "TIDEGATE_TRUST_API_KEY_HEADER": "1",
        "TIDEGATE_PRINCIPAL_SECRET": "the engine keeps no secrets",
        "TIDEGATE_DECISION_BUDGET_MS": "6000",
    },
    architecture=lambda_.Architecture.custom(os.environ["ARCHITECTURE"]),
    cache=None,
    queue=Queue("app.worker", enforce_ssl=False),
    keeping=Keeping(data=False),
    edge=Edge(firewall=None, access_logs=False),
    rates=Rates(decoded=True),
    smoke=["/health"],
    release=Rollout(weights=(), bake_s=0, replay_per_s=0, warm=1),
    observability=None,
)
CfnOutput(stack, "ApiId", value=api.gateway.api.rest_api_id)
CfnOutput(stack, "KeyId", value=api.gateway.keys["internal"].key_id)
CfnOutput(stack, "FunctionName", value=api.api.function.function_name)
app.synth()
"""
LETTERS = """
from fastapi import FastAPI

from tidegate import TokenBucket, lambda_handler, policy, protect

app = FastAPI(title="Letters")
gate = protect(app)


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "well"}


@app.post("/letters", status_code=201)
@policy(limits=[TokenBucket("1/day", burst=3)], idempotent=True)
async def post(text: str) -> dict[str, str]:
    return {"posted": text}


handler = lambda_handler(app)
worker = gate.worker(app)
"""


@pytest.fixture
def _a_redis_that_is_up():
    """In place of the other tests' cloud: nothing here has a Redis."""


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    folder = StateFolder(tmp_path_factory.mktemp("engine"))
    registry = ProcessRegistry(folder.processes_file)
    try:
        yield Embedded().ensure(folder, registry).url
    finally:
        registry.stop(PROCESS)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with the app, the function's code and its packages, synthesized."""
    folder = tmp_path_factory.mktemp("letters")
    (folder / "src").mkdir()
    (folder / "src/app.py").write_text(LETTERS)
    (folder / "app.py").write_text(APP)
    shutil.copy(dependencies_layer(Workspace.at(ROOT), HOST).path, folder / "packages.zip")
    environ = {**os.environ, "ARCHITECTURE": HOST.architecture}
    subprocess.run([sys.executable, "app.py"], cwd=folder, env=environ, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def letters(engine, project):
    """A client of the deployed API."""
    stack = DeployedStack(engine, "Letters")
    assembly = project / "cdk.out"
    stack.upload(assembly)
    template, left_out = fitted(json.loads((assembly / "Letters.template.json").read_text()), "")
    assert left_out <= {"AWS::CDK::Metadata"}
    assert stack.create(template) == "CREATE_COMPLETE", stack.reasons()
    outputs = stack.outputs()
    with closing(cloud.client("apigateway", engine)) as keys:
        key = keys.get_api_key(apiKey=outputs["KeyId"], includeValue=True)["value"]
    address = f"{engine}/restapis/{outputs['ApiId']}/api/_user_request_"
    with httpx.Client(base_url=address, timeout=60, headers={"x-api-key": key}) as http:
        yield http


def post(letters, number, **headers):
    return letters.post(f"/letters?text={number}", headers={"Idempotency-Key": f'"letter-{number}"', **headers})


def test_it_limits_replays_and_refuses_as_it_says(letters):
    assert letters.get("/health", headers={"x-api-key": ""}).status_code == 200
    refused = post(letters, 1, **{"x-api-key": "nobody's"})
    assert (refused.status_code, refused.headers["content-type"]) == (403, "application/problem+json")

    posted = [post(letters, number) for number in (1, 2, 3)]
    assert [answer.status_code for answer in posted] == [201, 201, 201], [answer.text for answer in posted]
    limited = post(letters, 4)
    assert limited.status_code == 429, limited.text
    assert int(limited.headers["retry-after"]) > 3600
    assert "quota-exceeded" in limited.json()["type"]

    again = post(letters, 1)
    assert (again.status_code, again.json()) == (201, {"posted": "1"})
    assert again.headers["idempotent-replayed"] == "true"
