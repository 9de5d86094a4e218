"""The template for LocalStack: only what it can do, and the first of a release's two deploys."""

import json
import re
import zipfile

import pytest

from infra.artefacts import dependencies_layer, function_code, library_layer
from infra.stages import AWS, LOCAL
from tests.infra.conftest import ROOT, synthesize
from tidegate_build.assets import Workspace
from tidegate_build.code import with_layers
from tidegate_cdk.api.two_deploys import FOLLOWED, ORDER
from tidegate_cdk.project.engines import on_engine
from tidegate_cdk.setting_error import SettingError
from tidegate_local.stacks import template
from tidegate_local.stacks.template import followed, live_versions

API, WORKER = "Tidegate-local-api", "Tidegate-local-worker"
# Those of the template that LocalStack 4.14.0 has a provider for; another one would be taken for made.
PROVIDED = {
    *(f"AWS::ApiGateway::{name}" for name in ("ApiKey", "Deployment", "GatewayResponse", "Method", "Resource")),
    *(f"AWS::ApiGateway::{name}" for name in ("RestApi", "Stage", "UsagePlan", "UsagePlanKey")),
    *(f"AWS::Lambda::{name}" for name in ("Alias", "EventSourceMapping", "Function", "Permission", "Version")),
    *("AWS::DynamoDB::Table", "AWS::IAM::Policy", "AWS::IAM::Role", "AWS::Logs::LogGroup", "AWS::SQS::Queue"),
    "AWS::StepFunctions::StateMachine",
}


@pytest.fixture(scope="module")
def workspace():
    return Workspace.at(ROOT)


@pytest.fixture(scope="module")
def plain(tmp_path_factory, workspace):
    return synthesize(on_engine(LOCAL, "localstack"), tmp_path_factory.mktemp("plain"), workspace)


@pytest.fixture(scope="module")
def held(tmp_path_factory, workspace, plain):
    """The first deploy of a release that changes the API alone."""
    former = f"{API}:apiFormer,{WORKER}:{live_versions(plain.document)[WORKER]}"
    stage = on_engine(LOCAL, "localstack", former)
    return synthesize(stage, tmp_path_factory.mktemp("held"), workspace)


def test_it_has_only_what_localstack_can_make(plain):
    assert {made["Type"] for made in plain.document["Resources"].values()} <= PROVIDED


def test_each_function_carries_the_layers_itself(plain):
    functions = plain.properties("AWS::Lambda::Function")
    assert not [function["FunctionName"] for function in functions if "Layers" in function]
    assert len({function["Code"]["S3Key"] for function in functions}) == len(functions)


@pytest.mark.usefixtures("plain")  # which has built it
def test_the_zip_has_the_function_and_the_layers_with_their_bytecode(workspace):
    code = function_code(workspace, "api", LOCAL.target)
    layers = [dependencies_layer(workspace, LOCAL.target), library_layer(workspace, LOCAL.target)]
    asset = with_layers(workspace, code, layers)
    with zipfile.ZipFile(asset.path) as bundle:
        names = set(bundle.namelist())
        modes = {entry.external_attr >> 16 for entry in bundle.infolist()}
    assert {"functions/api/handler.py", "fastapi/applications.py", "tidegate/__init__.py"} <= names
    for module in ("functions/api/__pycache__/handler", "fastapi/__pycache__/applications"):
        assert any(re.fullmatch(rf"{module}\.cpython-\d+\.pyc", name) for name in names)
    assert not [name for name in names if name.startswith("python/")]
    assert modes <= {0o100644, 0o100755}
    assert asset.path.stat().st_size < 12_000_000
    # Another library is another zip, though the function's own code is the same.
    assert with_layers(workspace, code, layers[1:]).digest != asset.digest


def test_the_events_say_which_key_it_was(plain):
    assert "TIDEGATE_TRUST_API_KEY_HEADER" not in plain.function()["Environment"]["Variables"]


def test_a_published_version_refers_to_nothing_that_changes(plain):
    for version in plain.properties("AWS::Lambda::Version"):
        assert version["FunctionName"] in {API, WORKER}


def order(synthesized):
    """The output as it is in the template, with the logical ids of what it refers to."""
    joined = synthesized.document["Outputs"][ORDER]["Value"]["Fn::Join"][1]
    return json.loads("".join(part if isinstance(part, str) else ".".join(*part.values()) for part in joined))


def test_whoever_deploys_is_told_what_cloudformation_would_be(plain, both):
    (resource,) = both["local"].properties("Custom::TidegateRelease")
    assert order(plain).keys() == resource.keys() - {"ServiceTimeout"}
    assert order(plain)["Way"] == resource["Way"]
    ordered = [target["Version"].removesuffix(".Version") for target in order(plain)["Targets"]]
    assert ordered == [live_versions(plain.document)[name] for name in (API, WORKER)]


def test_the_first_deploy_leaves_the_alias_and_orders_the_new_version(plain, held):
    new = live_versions(plain.document)
    assert live_versions(held.document) == {API: "apiFormer", WORKER: new[WORKER]}
    assert order(held) == order(plain)
    kept = held.document["Resources"]["apiFormer"]
    assert kept["Properties"] == {"FunctionName": API}
    assert kept["DeletionPolicy"] == kept["UpdateReplacePolicy"] == "Retain"
    # The engine is to see no change in it: it is what the former template has.
    assert {**kept, "Metadata": None} == {**plain.document["Resources"][new[API]], "Metadata": None}


def test_the_second_deploy_is_what_cdk_makes_of_the_same_sources(plain, held):
    assert held.document["Metadata"][FOLLOWED] == {"apiFormer": live_versions(plain.document)[API]}
    assert followed(held.document) == plain.document
    assert followed(plain.document) == plain.document
    assert template.FOLLOWED == FOLLOWED


@pytest.mark.parametrize(
    ("stage", "engine", "former", "said"),
    [
        (LOCAL, "localstak", None, "engine is 'localstak': it takes localstack"),
        (AWS, "localstack", None, "write -c stage=local"),
        (LOCAL, None, f"{API}:apiFormer", "add -c engine=localstack"),
        (LOCAL, "localstack", "apiFormer", "former is 'apiFormer': write NAME:LOGICAL_ID"),
        (LOCAL, "localstack", f"{API}:", "write NAME:LOGICAL_ID"),
    ],
)
def test_a_wrong_value_is_refused_with_what_to_write(stage, engine, former, said):
    with pytest.raises(SettingError, match=re.escape(said)):
        on_engine(stage, engine, former)
