"""The mends of localstack/init/start.d, by what an alias does."""

import json
from collections import Counter

import pytest
from botocore.exceptions import ClientError

from tests.host_mode.conftest import ROLE, zipped

pytestmark = pytest.mark.localstack

CODE = "def handler(event, context): return context.function_version  # {}\n"


@pytest.fixture(scope="module")
def two_versions(localstack):
    """A function with the versions 1 and 2."""
    client = localstack.client("lambda")
    client.create_function(
        FunctionName="versioned",
        Runtime="python3.13",
        Handler="app.handler",
        Role=ROLE,
        Code={"ZipFile": zipped({"app.py": CODE.format(1)})},
    )
    client.get_waiter("function_active_v2").wait(FunctionName="versioned")
    client.publish_version(FunctionName="versioned")
    client.update_function_code(FunctionName="versioned", ZipFile=zipped({"app.py": CODE.format(2)}))
    client.get_waiter("function_updated_v2").wait(FunctionName="versioned")
    client.publish_version(FunctionName="versioned")
    return client


def test_an_alias_gets_and_loses_weights_by_the_api(two_versions):
    two_versions.create_alias(FunctionName="versioned", Name="api", FunctionVersion="1")
    two_versions.update_alias(
        FunctionName="versioned", Name="api", RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}}
    )
    assert set(ran(two_versions, "versioned", "api")) == {"1", "2"}
    two_versions.update_alias(FunctionName="versioned", Name="api", FunctionVersion="2", RoutingConfig={})
    assert set(ran(two_versions, "versioned", "api")) == {"2"}


def test_weights_that_make_no_sense_are_refused(two_versions):
    two_versions.create_alias(FunctionName="versioned", Name="refused", FunctionVersion="1")
    with pytest.raises(ClientError, match="already included in routing configuration"):
        two_versions.update_alias(
            FunctionName="versioned", Name="refused", RoutingConfig={"AdditionalVersionWeights": {"1": 0.5}}
        )


def test_an_alias_is_created_with_weights_by_a_template(localstack, two_versions):
    deploy(localstack, "weights", {"Alias": alias("versioned", "1", {"2": 0.5})})
    assert set(ran(two_versions, "versioned", "live")) == {"1", "2"}


def test_an_alias_survives_its_functions_changes_and_takes_weights(localstack):
    client = localstack.client("lambda")
    function, first, second = {"Ref": "Function"}, {"Fn::GetAtt": ["V1", "Version"]}, {"Fn::GetAtt": ["V2", "Version"]}
    deploy(localstack, "release", {**stack(1), "Alias": alias(function, first)})
    names = [each["FunctionName"] for each in client.list_functions()["Functions"]]
    name = next(each for each in names if each.startswith("release-"))
    assert set(ran(client, name, "live")) == {"1"}
    deploy(localstack, "release", {**stack(2), "Alias": alias(function, first)})
    assert set(ran(client, name, "live")) == {"1"}
    deploy(localstack, "release", {**stack(2), "Alias": alias(function, first, [(second, 0.5)])})
    assert set(ran(client, name, "live")) == {"1", "2"}
    deploy(localstack, "release", {**stack(2), "Alias": alias(function, second)})
    assert set(ran(client, name, "live")) == {"2"}
    assert "RoutingConfig" not in client.get_alias(FunctionName=name, Name="live")


def stack(number):
    """A function of this code, and its versions up to this one."""
    function = {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Runtime": "python3.13",
            "Handler": "index.handler",
            "Role": ROLE,
            "Code": {"ZipFile": CODE.format(number)},
        },
    }
    versions = {
        f"V{each}": {
            "Type": "AWS::Lambda::Version",
            "DeletionPolicy": "Retain",
            "Properties": {"FunctionName": {"Ref": "Function"}},
        }
        for each in range(1, number + 1)
    }
    return {"Function": function, **versions}


def alias(function, version, weights=()):
    pairs = weights.items() if isinstance(weights, dict) else weights
    listed = [{"FunctionVersion": each, "FunctionWeight": weight} for each, weight in pairs]
    routing = {"RoutingConfig": {"AdditionalVersionWeights": listed}} if listed else {}
    return {
        "Type": "AWS::Lambda::Alias",
        "Properties": {"FunctionName": function, "FunctionVersion": version, "Name": "live", **routing},
    }


def deploy(localstack, name, resources):
    client = localstack.client("cloudformation")
    known = [each["StackName"] for each in client.describe_stacks()["Stacks"]]
    change, wait = (
        (client.update_stack, "stack_update_complete")
        if name in known
        else (client.create_stack, "stack_create_complete")
    )
    change(StackName=name, TemplateBody=json.dumps({"Resources": resources}))
    client.get_waiter(wait).wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 120})


def ran(client, function, qualifier):
    """Which versions ran in 40 invocations: at one half each, one is missing once in 5e11 times."""
    answers = (client.invoke(FunctionName=function, Qualifier=qualifier)["Payload"].read() for _ in range(40))
    return Counter(json.loads(answer) for answer in answers)
