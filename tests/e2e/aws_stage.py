"""The stage aws on the embedded engine: its own template, its cache a real Redis behind TLS and IAM."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from aws_cdk import App

from infra.stack import TidegateStack
from infra.stages import AWS, LOCAL
from tests.e2e.deployed_stack import ASSETS, DeployedStack
from tests.harness.fitted_template import REFUSED, Template, fitted, released
from tidegate_build.assets import Workspace
from tidegate_build.targets import HOST
from tidegate_local.deployment import seed
from tidegate_local.project_facts import ProjectFacts
from tidegate_local.stacks import api_keys

ROOT = Path(__file__).parents[2]
NAME = "Tidegate-aws"
# The stage as it is, but for this machine's architecture, the engine's events and paths (infra/stages.py says which), a
# laptop's time, and a release of seconds.
STAGE = replace(
    AWS,
    target=HOST,
    reserved_concurrency=None,
    trust_api_key_header=True,
    principal_secret="the engine keeps no secrets",
    decode_method_paths=True,
    decision_budget_ms=6000,
    shed_wait_ms=LOCAL.shed_wait_ms,
    shed_database_ms=LOCAL.shed_database_ms,
    health_throttle=LOCAL.health_throttle,
    open_health=True,
    release=replace(LOCAL.release, weights=(50,), alarms=AWS.release.alarms),
)


class AwsStage(DeployedStack):
    """The stack on an engine, and what is asked of it."""

    def __init__(self, url: str, folder: Path, redis_url: str) -> None:
        super().__init__(url, NAME)
        app = App(context=json.loads((ROOT / "cdk.json").read_text())["context"], outdir=str(folder))
        stack = TidegateStack(app, NAME, stage=STAGE, workspace=Workspace.at(ROOT))
        self._assembly = app.synth()
        template = self._assembly.get_stack_by_name(stack.stack_name).template
        self.template, left_out = fitted(template, redis_url)
        assert left_out <= set(REFUSED), f"not on the engine, and nobody has said why: {left_out - set(REFUSED)}"
        self.upload(folder)

    def released(self, source: str, text: str) -> Template:
        """Return the template with a changed API: a text is added to a source of it."""
        function = self._function("api")
        former = self.template["Resources"][function]["Properties"]["Code"]["S3Key"]
        with self.aws("s3") as s3, io.BytesIO() as changed:
            archive = zipfile.ZipFile(io.BytesIO(s3.get_object(Bucket=ASSETS, Key=former)["Body"].read()))
            with zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as written:
                for name in archive.namelist():
                    # Bytecode that is unchecked would win over the source.
                    if not (name.endswith(".pyc") and Path(source).stem in name):
                        content = archive.read(name)
                        written.writestr(name, content + f"\n{text}\n".encode() if name == source else content)
            key = f"changed{abs(hash(text))}.zip"
            s3.put_object(Bucket=ASSETS, Key=key, Body=changed.getvalue())
        return released(self.template, "api", key)

    def patient(self, template: Template) -> Template:
        """Return the template with a minute for the release's step: as long as proof may take on a busy machine."""
        (release,) = (of for of in template["Resources"].values() if of["Type"] == "Custom::TidegateRelease")
        way = json.loads(release["Properties"]["Way"])
        way["steps"] = [[percent, least_s, 60, unproven] for percent, least_s, _, unproven in way["steps"]]
        release["Properties"]["Way"] = json.dumps(way)
        return template

    def failing(self, template: Template, resource: Mapping[str, Any]) -> Template:
        """Return the template with a resource that fails once the API's alias is there."""
        (alias,) = (
            logical
            for logical, of in template["Resources"].items()
            if of["Type"] == "AWS::Lambda::Alias" and logical.startswith("api")
        )
        return {**template, "Resources": {**template["Resources"], "Failing": {**resource, "DependsOn": [alias]}}}

    def alias(self, function: str) -> tuple[str, dict[str, float]]:
        """Return the version and the weights of a function's alias."""
        with self.aws("lambda") as functions:
            found = functions.get_alias(FunctionName=f"{NAME}-{function}", Name="live")
        return found["FunctionVersion"], (found.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}

    def state(self) -> dict[str, Any]:
        """Return what clients need: the API's address and its keys."""
        with self.aws("cloudformation") as stacks:
            found = stacks.describe_stacks(StackName=NAME)["Stacks"][0]["Outputs"]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in found}
        seed.sow(self.url, outputs, ProjectFacts.read())
        address = f"{self.url}/restapis/{outputs['ApiId']}/{outputs['StageName']}/_user_request_"
        return {"api_url": address, "api_keys": api_keys.read(self.url, outputs), "outputs": outputs}

    def _function(self, name: str) -> str:
        (found,) = (
            logical
            for logical, resource in self.template["Resources"].items()
            if resource["Type"] == "AWS::Lambda::Function"
            and resource["Properties"]["FunctionName"].endswith(f"-{name}")
        )
        return found
