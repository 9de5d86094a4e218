"""Every AWS client that a function names can be made from what ships with it, which describes few services."""

import json
import subprocess
import sys
import zipfile

import pytest

from infra.controller import controller
from tidegate_build.assets import Workspace
from tidegate_build.targets import HOST

from .conftest import ROOT
from .named_clients import named_clients

CREDENTIALS = {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "-", "AWS_SECRET_ACCESS_KEY": "-"}
# PynamoDB's models and Powertools' persistence layer name theirs in packages that ship without sources.
BY_PACKAGES = {("client", "dynamodb"), ("resource", "dynamodb")}


def make(clients):
    lines = ["import boto3, json", "made = []"]
    for kind, service in sorted(clients):
        meta = "meta.client.meta" if kind == "resource" else "meta"
        lines.append(f"made.append([{kind!r}, boto3.{kind}({service!r}).{meta}.service_model.service_name])")
    return "\n".join([*lines, "print(json.dumps(made))"])


@pytest.fixture(scope="module")
def controller_s(tmp_path_factory):
    """The controller's archive, which the hook of CodeDeploy runs from, too."""
    folder = tmp_path_factory.mktemp("controller")
    zipfile.ZipFile(controller(Workspace.at(ROOT), HOST).path).extractall(folder)
    return folder


def test_every_client_of_the_released_functions_is_made(alone, unpacked):
    local = unpacked["local"]
    named = named_clients(local.task / "functions") | named_clients(local.packages / "tidegate") | BY_PACKAGES
    assert {("client", "sqs"), ("client", "lambda")} <= named
    assert {tuple(made) for made in alone(make(named))} == named


def test_every_client_of_the_controller_is_made(controller_s):
    named = named_clients(controller_s / "functions")
    assert {("client", "codedeploy"), ("client", "stepfunctions"), ("resource", "dynamodb")} <= named
    code = f"import sys; sys.path[:0] = [{str(controller_s)!r}]\n{make(named)}\n"
    ended = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], env=CREDENTIALS, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert {tuple(made) for made in json.loads(ended.stdout)} == named


def test_a_service_that_is_not_described_is_found_out(alone):
    # boto3's own error, or the tests above would prove nothing.
    answer = alone(
        "import boto3, json\n"
        "try: boto3.client('codedeploy')\n"
        "except Exception as error: print(json.dumps(type(error).__name__))"
    )
    assert answer == "UnknownServiceError"


def test_a_client_of_an_unreadable_service_is_no_silence(tmp_path):
    (tmp_path / "made.py").write_text("def make(boto3, name):\n    return boto3.client(name)\n")
    with pytest.raises(ValueError, match=r"made\.py:2 makes a client"):
        named_clients(tmp_path)
