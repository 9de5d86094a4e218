import json
import os
import shutil
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest
from aws_cdk import App
from aws_cdk.assertions import Template

from infra.stack import TidegateStack
from infra.stages import AWS, STAGES, Stage, select
from tidegate_build.assets import Workspace
from tidegate_cdk.project.options import with_options
from tidegate_cdk.rollout import Rollout

ROOT = Path(__file__).resolve().parents[2]
CONTEXT = json.loads((ROOT / "cdk.json").read_text())["context"]


@dataclass(frozen=True)
class Synthesized:
    """One stage's template, as data and for CDK's assertions."""

    stage: Stage
    document: dict
    template: Template

    def resources(self, resource_type: str) -> dict[str, dict]:
        found = self.document["Resources"].items()
        return {name: resource for name, resource in found if resource["Type"] == resource_type}

    def properties(self, resource_type: str) -> list[dict]:
        return [resource["Properties"] for resource in self.resources(resource_type).values()]

    def function(self, name: str = "api") -> dict:
        """A function's properties, by the name of its package."""
        (properties,) = (f for f in self.properties("AWS::Lambda::Function") if f["FunctionName"].endswith(f"-{name}"))
        return properties

    def of_function(self, resource_type: str, name: str = "api") -> dict[str, dict]:
        """The resources of a function's construct."""
        return {key: made for key, made in self.resources(resource_type).items() if key.startswith(name)}

    def only(self, resource_type: str) -> dict:
        (properties,) = self.properties(resource_type)
        return properties


def synthesize(stage: Stage, outdir: Path, workspace: Workspace, context: dict = CONTEXT) -> Synthesized:
    app = App(context=context, outdir=str(outdir))
    stack = TidegateStack(app, f"Tidegate-{stage.name}", stage=stage, workspace=workspace)
    document = app.synth().get_stack_by_name(stack.stack_name).template
    return Synthesized(stage, document, Template.from_json(document))


@pytest.fixture(scope="session")
def both(tmp_path_factory):
    """Both stages, each synthesized once in the session."""
    workspace = Workspace.at(ROOT)
    return {name: synthesize(stage, tmp_path_factory.mktemp(name), workspace) for name, stage in STAGES.items()}


EVERYTHING = {
    "env": "staging",
    "account": "111122223333",
    "region": "eu-central-1",
    "reserved_concurrency": "20",
    "first_deploy": "true",
    "cors": "https://shop.example",
    "user_pool": "arn:aws:cognito-idp:eu-central-1:111122223333:userpool/eu-central-1_Shop",
    "async_refresh": "true",
    "alarm_email": "team@shop.example",
    "budget": "100",
    "domain": "api.shop.example",
    "certificate": "arn:aws:acm:eu-central-1:111122223333:certificate/0b2c",
    "zone": "Z0123456789",
}
OF_AN_ISSUER = {"issuer": "https://login.shop.example/", "audience": "shop,https://api.shop.example"}
# Every way to deploy to AWS whose resources are of their own. Other strategies differ in a release's plan alone.
VARIANTS = {
    "codedeploy": lambda: select("aws", rollout="codedeploy"),
    "provisioned": lambda: replace(AWS, provisioned=2, release=Rollout(weights=())),
    "everything": lambda: with_options(replace(AWS, snap_start=True), EVERYTHING.get),
    "tokens": lambda: with_options(AWS, OF_AN_ISSUER.get),
}


@pytest.fixture(scope="session")
def variant(tmp_path_factory):
    """`variant(name)`: one of VARIANTS, synthesized once in the session."""

    @cache
    def synthesized(name: str) -> Synthesized:
        return synthesize(VARIANTS[name](), tmp_path_factory.mktemp(name), Workspace.at(ROOT))

    return synthesized


@pytest.fixture(scope="session", params=sorted(STAGES))
def synthesized(request, both):
    """Each stage in turn."""
    return both[request.param]


def _as_git_does(source: str, target: str) -> None:
    """Leave times and permissions behind, but for the executable bit."""
    shutil.copyfile(source, target)
    if os.access(source, os.X_OK):
        Path(target).chmod(0o755)


@pytest.fixture
def clone(tmp_path):
    """Copies what synth reads to a folder of its own; what is built stays in the repository's cache."""

    def copy(name: str) -> Workspace:
        root = tmp_path / name
        for file in ("pyproject.toml", "uv.lock", "localstack/pyproject.toml", "infra/cdk/pyproject.toml"):
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            (root / file).write_bytes((ROOT / file).read_bytes())
        for folder in ("examples", "functions", "layers"):
            shutil.copytree(
                ROOT / folder,
                root / folder,
                copy_function=_as_git_does,
                ignore=shutil.ignore_patterns("__pycache__"),
            )
        return Workspace(root, Workspace.at(ROOT).state)

    return copy
