"""The package of the constructs: a wheel from a clean checkout has its archives in it, and needs no checkout."""

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tidegate_build.toolchain import find_uv

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SYNTHESIZED = """
from aws_cdk import App, Stack
from aws_cdk import aws_lambda as lambda_
import tidegate_cdk
from tidegate_cdk.controller import controller

print(controller())
stack = Stack(App(), "Hello")
code = lambda_.Code.from_inline("handler = print")
one = lambda_.Function(stack, "F", runtime=lambda_.Runtime.PYTHON_3_13, handler="index.handler", code=code)
tidegate_cdk.JudgedRelease(stack, "Release", functions=[one])
tidegate_cdk.TidegateLayer(stack, "Layer")
stack.node.root.synth()
"""

PROTECTED = """
from aws_cdk import App, CfnOutput, Stack
from tidegate_cdk import ProtectedApi, Queue

app = App(outdir="cdk.out")
stack = Stack(app, "Letters")
api = ProtectedApi(stack, "Api", code="src", handler="app.handler", queue=Queue("app.worker"))
CfnOutput(stack, "Url", value=api.url)
app.synth()
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder that both packages are in; the wheel is made of the source archive, as an installer does it."""
    folder = tmp_path_factory.mktemp("dist")
    command = [*find_uv(), "build", "--quiet", "--out-dir", str(folder), str(ROOT / "infra/cdk")]
    subprocess.run(command, check=True, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """The wheel's contents, away from the checkout."""
    (wheel,) = built.glob("*.whl")
    folder = tmp_path_factory.mktemp("site")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


def digest(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_stack_is_synthesized_from_the_wheel_alone(installed, tmp_path):
    environ = {**os.environ, "PYTHONPATH": str(installed)}
    program = [sys.executable, "-c", SYNTHESIZED]
    done = subprocess.run(program, cwd=tmp_path, env=environ, check=True, capture_output=True, text=True)
    assert Path(done.stdout.strip()) == installed / "tidegate_build/controller.zip"


def test_ten_lines_make_a_protected_api_from_the_wheel_alone(installed, tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src/app.py").write_text("handler = worker = print\n")
    environ = {**os.environ, "PYTHONPATH": str(installed)}
    subprocess.run([sys.executable, "-c", PROTECTED], cwd=tmp_path, env=environ, check=True, capture_output=True)
    template = json.loads((tmp_path / "cdk.out/Letters.template.json").read_text())
    made = {of["Type"] for of in template["Resources"].values()}
    assert {"AWS::ApiGateway::RestApi", "AWS::Lambda::Alias", "Custom::TidegateRelease"} <= made
    built = {digest(file) for file in (tmp_path / "cdk.out").glob("asset.*.zip")}
    assert built >= {digest(installed / "tidegate_build" / name) for name in ("controller.zip", "layer.zip")}


def test_the_controller_in_the_wheel_starts(installed, tmp_path):
    zipfile.ZipFile(installed / "tidegate_build/controller.zip").extractall(tmp_path)
    code = (
        "import sys\n"
        f"sys.path[:] = [{str(tmp_path)!r}, *[path for path in sys.path if 'site-packages' not in path]]\n"
        "from functions.rollout import handler, parts\n"
        "assert not handler.broken, handler.broken\n"
        "for service in ('cloudwatch', 'lambda', 'stepfunctions'):\n"
        "    parts.client(service)\n"
    )
    environ = {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "-", "AWS_SECRET_ACCESS_KEY": "-"}
    subprocess.run([sys.executable, "-I", "-c", code], env=environ, check=True)


def test_the_layer_in_the_wheel_is_the_library_for_any_platform(installed):
    with zipfile.ZipFile(installed / "tidegate_build/layer.zip") as layer:
        names = set(layer.namelist())
        extension = layer.getinfo("extensions/tidegate")
    assert {"python/tidegate/guard.py", "python/tidegate/stores/redis/lua/admit.lua"} <= names
    assert extension.external_attr >> 16 & 0o111
    assert not [name for name in names if name.endswith((".so", ".pyc"))]


def test_the_layers_are_built_away_from_the_checkout(installed, tmp_path):
    environ = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, "-m", "tidegate_local", "layer", "build", "--arch", "x86_64", "--into", "layers"]
    done = subprocess.run(command, cwd=tmp_path, env=environ, check=True, capture_output=True, text=True)
    archives = [tmp_path / "layers" / f"{name}-layer-py3.13-x86_64.zip" for name in ("tidegate", "dependencies")]
    assert done.stdout.split() == [*map(str, archives)]
    assert [*tmp_path.iterdir()] == [tmp_path / "layers"], "something else was left"
    library, dependencies = ({*zipfile.ZipFile(archive).namelist()} for archive in archives)
    assert {"python/tidegate/guard.py", "extensions/tidegate"} <= library
    assert {"python/fastapi/__init__.py", "python/boto3/__init__.pyc", "python/mangum/__init__.py"} <= dependencies
    assert any(name.startswith("python/pydantic_core/") and "-x86_64-linux" in name for name in dependencies)


def test_nothing_of_the_build_stays_in_the_checkout(built):
    for name in ("controller.zip", "layer.zip", "layer-requirements.txt"):
        assert not (ROOT / "infra/cdk/tidegate_build" / name).exists()
