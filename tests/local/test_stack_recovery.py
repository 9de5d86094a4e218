"""Stacks that a real CloudFormation left half-way, brought to rest by what `tidegate release --recover` does."""

import contextlib
import json

import pytest

from tests.local.deployed_function import deploy_function
from tidegate_local import cloud
from tidegate_local.errors import DeploymentError
from tidegate_local.releases import stack_recovery
from tidegate_local.releases.deployable import require_deployable
from tidegate_local.releases.stack_recovery import StackRecovery, await_rest
from tidegate_local.stacks import events
from tidegate_local.stacks.description import described, status_of

# A custom resource that does as its properties say: which requests it refuses.
CONTROLLER = """
import json, urllib.request
def handler(event, context):
    refused = event["RequestType"] in event["ResourceProperties"]["Refuses"]
    kept = {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
    body = {**kept, "PhysicalResourceId": "it", "Status": "FAILED" if refused else "SUCCESS", "Reason": "It is worse."}
    asked = urllib.request.Request(event["ResponseURL"], json.dumps(body).encode(), {"Content-Type": ""}, method="PUT")
    urllib.request.urlopen(asked)
"""


@pytest.fixture(scope="module")
def stacks(running_engine):
    with (
        contextlib.closing(cloud.client("lambda", running_engine.url)) as functions,
        contextlib.closing(cloud.client("cloudformation", running_engine.url)) as client,
    ):
        deploy_function(functions, "controller", CONTROLLER)
        yield client


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch):
    monkeypatch.setattr(stack_recovery, "_LOOK_EVERY_S", 0.02)


def template(*refuses, queue=1):
    token = "arn:aws:lambda:us-east-1:000000000000:function:controller"
    release = {
        "Type": "Custom::TidegateRelease",
        "Properties": {"ServiceToken": token, "Refuses": list(refuses), "ServiceTimeout": 20},
    }
    waiting = {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": queue}}
    return json.dumps({"Resources": {"Queue": waiting, "Release": {**release, "DependsOn": "Queue"}}})


@pytest.fixture
def made(stacks, request):
    """A stack of the test's own, at rest."""
    name = request.node.name.replace("_", "-")
    stacks.create_stack(StackName=name, TemplateBody=template())
    assert await_rest(stacks, name) == "CREATE_COMPLETE"
    return name


def update(stacks, name, body, **how):
    stacks.update_stack(StackName=name, TemplateBody=body, **how)
    return await_rest(stacks, name)


def recovery(stacks, name):
    return StackRecovery(stacks, name, "aws", lambda _: None)


def deployable(stacks, name):
    require_deployable(lambda _: stacks, name, "aws", lambda _: None)


def test_a_rolled_back_stack_takes_the_next_deploy_and_says_why(stacks, made):
    assert update(stacks, made, template("Update", queue=2)) == "UPDATE_ROLLBACK_COMPLETE"
    assert events.cause(events.read(stacks, made)) == "It is worse."
    deployable(stacks, made)
    assert recovery(stacks, made).recover() == "UPDATE_ROLLBACK_COMPLETE"


def test_a_rollback_that_is_stuck_goes_on_past_what_is_skipped(stacks, made):
    # The former one refuses updates, too: CloudFormation can't go back to it.
    stacks.delete_stack(StackName=made)
    await_rest(stacks, made)
    stacks.create_stack(StackName=made, TemplateBody=template("Update"))
    await_rest(stacks, made)
    broken = json.loads(template("Other", queue=2))
    token = broken["Resources"]["Release"]["Properties"]["ServiceToken"]
    refused = {"ServiceToken": token, "Refuses": ["Create"]}
    broken["Resources"]["Broken"] = {"Type": "Custom::Broken", "Properties": refused, "DependsOn": "Release"}
    assert update(stacks, made, json.dumps(broken)) == "UPDATE_ROLLBACK_FAILED"
    with pytest.raises(
        DeploymentError, match=r"stopped in the middle of its rollback(.|\n)*`tidegate release --recover"
    ):
        deployable(stacks, made)
    with pytest.raises(DeploymentError, match=r"Release: (.|\n)*--skip Release --stage aws`"):
        recovery(stacks, made).recover()
    assert recovery(stacks, made).recover(["Release"]) == "UPDATE_ROLLBACK_COMPLETE"
    deployable(stacks, made)


def test_a_paused_deploy_is_put_back(stacks, made):
    assert update(stacks, made, template("Update", queue=2), DisableRollback=True) == "UPDATE_FAILED"
    with pytest.raises(DeploymentError, match="in the middle of a deploy"):
        deployable(stacks, made)
    assert recovery(stacks, made).recover() == "UPDATE_ROLLBACK_COMPLETE"
    deployable(stacks, made)


@pytest.mark.parametrize("how", [{"EnableTerminationProtection": True}, {"DisableRollback": True}])
def test_a_first_deploy_that_failed_makes_room_for_the_next(stacks, how):
    name = f"Half-{next(iter(how))}"
    stacks.create_stack(StackName=name, TemplateBody=template("Create"), **how)
    assert await_rest(stacks, name) in {"ROLLBACK_COMPLETE", "CREATE_FAILED"}
    with pytest.raises(DeploymentError, match="nothing of it serves"):
        deployable(stacks, name)
    assert recovery(stacks, name).recover() is None
    deployable(stacks, name)
    stacks.create_stack(StackName=name, TemplateBody=template())
    assert await_rest(stacks, name) == "CREATE_COMPLETE"


def test_a_stack_that_was_deleted_in_part_goes_but_for_what_is_kept(stacks):
    stacks.create_stack(StackName="Deleted", TemplateBody=template("Delete"))
    await_rest(stacks, "Deleted")
    stacks.delete_stack(StackName="Deleted")
    assert await_rest(stacks, "Deleted") == "DELETE_FAILED"
    with pytest.raises(DeploymentError, match="--skip Release"):
        recovery(stacks, "Deleted").recover()
    assert recovery(stacks, "Deleted").recover(["Release"]) is None
    assert status_of(described(stacks, "Deleted")) is None
    deployable(stacks, "Deleted")


def test_an_engine_that_is_gone_is_not_taken_for_no_stack():
    gone = cloud.client("cloudformation", "http://127.0.0.1:1")
    with pytest.raises(DeploymentError, match="stopped answering"):
        described(gone, "Any")
    gone.close()
