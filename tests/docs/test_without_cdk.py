"""The recipes for SAM, Serverless and Terraform: what infra/ makes, in their languages, and the function runs."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hcl2
import pytest
import yaml
from aws_cdk import App, Stack
from cfnlint.decode import cfn_yaml

from tests.infra.linted import findings
from tidegate_build.layer_archives import file_name
from tidegate_build.targets import LAMBDA_ARM64
from tidegate_cdk import TidegateTable
from tidegate_cdk.api.library_items import ACTIONS

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples/without_cdk"
PAGE = ROOT / "docs/how-to/without-cdk.md"
TABLE = "TidegateTable"
# Two requests with one key, the second as a client sends it again, and thirty others.
CALLS = """
import json
from app import handler
from tests.harness.lambda_events import http_api_event
from tests.api.gateway import LambdaContext

def post(key):
    event = http_api_event("POST", "/letters", query={"text": "hello"}, headers={"Idempotency-Key": f'"{key}"'})
    answer = handler(event, LambdaContext())
    return [answer["statusCode"], json.loads(answer["body"]), answer["headers"].get("idempotent-replayed")]

print(json.dumps([post("one"), post("one"), *[post(f"other-{n}") for n in range(30)]]))
"""


@dataclass(frozen=True)
class Recipe:
    """What one of the files says, in CloudFormation's words."""

    handler: str
    runtime: str
    architectures: list[str]
    variables: dict[str, Any]
    layers: list[str]
    actions: list[str]
    resource: Any
    table: dict[str, Any]
    kept: bool


def _kept(table: dict[str, Any]) -> bool:
    return table["DeletionPolicy"] == table["UpdateReplacePolicy"] == "Retain"


def sam() -> Recipe:
    resources = cfn_yaml.load(str(FOLDER / "template.yaml"))["Resources"]
    function = resources["Letters"]["Properties"]
    (policy,) = function["Policies"]
    (statement,) = policy["Statement"]
    return Recipe(
        handler=function["CodeUri"] + function["Handler"],
        runtime=function["Runtime"],
        architectures=function["Architectures"],
        variables=function["Environment"]["Variables"],
        layers=[resources[layer["Ref"]]["Properties"]["ContentUri"] for layer in function["Layers"]],
        actions=statement["Action"],
        resource=statement["Resource"],
        table=resources[TABLE]["Properties"],
        kept=_kept(resources[TABLE]),
    )


def serverless() -> Recipe:
    said = yaml.safe_load((FOLDER / "serverless.yml").read_text())
    provider, function = said["provider"], said["functions"]["letters"]
    (statement,) = provider["iam"]["role"]["statements"]
    # Serverless names the resource of a layer by its own rule.
    archives = {f"{name.title()}LambdaLayer": layer["package"]["artifact"] for name, layer in said["layers"].items()}
    table = said["resources"]["Resources"][TABLE]
    return Recipe(
        handler=function["handler"],
        runtime=provider["runtime"],
        architectures=[provider["architecture"]],
        variables=provider["environment"],
        layers=[archives[layer["Ref"]] for layer in function["layers"]],
        actions=statement["Action"],
        resource=statement["Resource"],
        table=table["Properties"],
        kept=_kept(table),
    )


def terraform() -> Recipe:
    options = hcl2.SerializationOptions(explicit_blocks=False, strip_string_quotes=True, with_comments=False)
    said = hcl2.loads((FOLDER / "main.tf").read_text(), serialization_options=options)
    made = {(kind, name): block for one in said["resource"] for kind, of in one.items() for name, block in of.items()}
    read = {(kind, name): block for one in said["data"] for kind, of in one.items() for name, block in of.items()}
    function, table = made["aws_lambda_function", "letters"], made["aws_dynamodb_table", "tidegate"]
    (statement,) = read["aws_iam_policy_document", "items"]["statement"]
    (environment,), (attribute,), (ttl,) = function["environment"], table["attribute"], table["ttl"]
    (recovery,), (lifecycle,) = table["point_in_time_recovery"], table["lifecycle"]
    names = {"${aws_dynamodb_table.tidegate.name}": {"Ref": TABLE}}
    arns = {"${aws_dynamodb_table.tidegate.arn}": {"Fn::GetAtt": [TABLE, "Arn"]}}
    archives = {
        f"${{{kind}.{name}.arn}}": layer["filename"]
        for (kind, name), layer in made.items()
        if kind == "aws_lambda_layer_version"
    }
    (resource,) = statement["resources"]
    return Recipe(
        handler=f"{read['archive_file', 'letters']['source_dir']}/{function['handler']}",
        runtime=function["runtime"],
        architectures=function["architectures"],
        variables={name: names.get(value, value) for name, value in environment["variables"].items()},
        layers=[archives[layer] for layer in function["layers"]],
        actions=statement["actions"],
        resource=arns[resource],
        table={
            "KeySchema": [{"AttributeName": table["hash_key"], "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": attribute["name"], "AttributeType": attribute["type"]}],
            "BillingMode": table["billing_mode"],
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": recovery["enabled"]},
            "TimeToLiveSpecification": {"AttributeName": ttl["attribute_name"], "Enabled": ttl["enabled"]},
        },
        kept=lifecycle["prevent_destroy"],
    )


@pytest.fixture(params=[sam, serverless, terraform], ids=lambda read: read.__name__)
def recipe(request):
    return request.param()


@pytest.fixture(scope="module")
def library_s_table(tmp_path_factory):
    """The resource that the construct makes."""
    app = App(outdir=str(tmp_path_factory.mktemp("table")))
    TidegateTable(Stack(app, "Outsider"), "Table")
    (table,) = app.synth().get_stack_by_name("Outsider").template["Resources"].values()
    return table


def test_the_table_is_the_library_s(recipe, library_s_table):
    assert recipe.table == library_s_table["Properties"]
    assert recipe.kept == _kept(library_s_table)


def test_the_function_may_do_what_the_library_does_and_no_more(recipe):
    assert recipe.actions == list(ACTIONS)
    assert recipe.resource == {"Fn::GetAtt": [TABLE, "Arn"]}


def test_the_layers_are_those_that_the_command_builds(recipe):
    # Lambda unpacks them in this order, as infra/cdk/tidegate_cdk/project/layers.py has it.
    assert recipe.layers == [f"dist/{file_name(name, LAMBDA_ARM64)}" for name in ("dependencies", "tidegate")]
    assert recipe.runtime == f"python{LAMBDA_ARM64.python}"
    assert recipe.architectures == [LAMBDA_ARM64.architecture]


def test_the_handler_is_there_and_is_told_its_table(recipe):
    module, _, name = recipe.handler.rpartition(".")
    assert f"\n{name} = lambda_handler(app)\n" in (FOLDER / f"{module}.py").read_text()
    assert recipe.variables == {"TIDEGATE_NAMESPACE": "letters", "TIDEGATE_TABLE": {"Ref": TABLE}}


def test_the_function_answers_on_such_a_table(recipe, dynamo, dynamo_client):
    description = {name: value for name, value in recipe.table.items() if not name.endswith("Specification")}
    table = dynamo_client.create_table(TableName=f"letters-{os.urandom(4).hex()}", **description)
    name = table["TableDescription"]["TableName"]
    dynamo_client.update_time_to_live(TableName=name, TimeToLiveSpecification=recipe.table["TimeToLiveSpecification"])
    try:
        answers = answered(recipe, name, dynamo.endpoint_url)
    finally:
        dynamo_client.delete_table(TableName=name)
    posted, again, *others = answers
    assert posted == [201, {"posted": "hello"}, None]
    assert again[:2] == posted[:2]
    assert again[2] == "true"
    statuses = [status for status, _, _ in others]
    assert set(statuses) == {201, 429}


def answered(recipe, table, endpoint_url):
    """What the function answers, in a process of its own, with the variables of the recipe."""
    paths = ROOT / "layers/tidegate/python", ROOT
    environ = {
        **os.environ,
        **recipe.variables,
        "TIDEGATE_TABLE": table,
        "TIDEGATE_DECISION_BUDGET_MS": "3000",
        "AWS_ENDPOINT_URL": endpoint_url,
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
    }
    program = [sys.executable, "-c", CALLS]
    done = subprocess.run(program, cwd=FOLDER / "src", env=environ, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_cloudformation_s_schemas_find_nothing_in_the_sam_template():
    assert findings(FOLDER / "template.yaml") == []


def test_what_is_wrong_in_a_sam_template_is_found(tmp_path):
    wrong = tmp_path / "template.yaml"
    wrong.write_text((FOLDER / "template.yaml").read_text().replace("Handler:", "Handle:"))
    assert any("'Handle' was unexpected" in finding for finding in findings(wrong))


@pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform isn't installed; the file is parsed anyway")
def test_terraform_reads_its_file_and_would_write_it_so():
    subprocess.run(["terraform", "fmt", "-check", "-diff", str(FOLDER)], check=True)


@pytest.mark.parametrize("name", ["src/app.py", "template.yaml", "serverless.yml", "main.tf"])
def test_the_page_shows_the_files_as_they_are(name):
    assert f"\n{(FOLDER / name).read_text()}```\n" in PAGE.read_text()
