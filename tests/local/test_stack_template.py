"""A stack's template: what the aliases name, what follows it, and its replacement on a real CloudFormation."""

import contextlib
import json

import pytest

from tidegate_local import cloud
from tidegate_local.errors import DeploymentError
from tidegate_local.stacks.template import FOLLOWED, StackTemplate, followed, live_versions


def version(name="api"):
    return {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": name}}


def alias(names):
    return {"Type": "AWS::Lambda::Alias", "Properties": {"FunctionVersion": {"Fn::GetAtt": [names, "Version"]}}}


def template(sources, former=None):
    """What CDK makes of sources of a number; with another `former` it is a release's first deploy."""
    new = f"version{sources}"
    if former in {None, sources}:
        return {"Resources": {"live": alias(new), new: version()}}
    old = f"version{former}"
    resources = {"live": alias(old), new: version(), old: version()}
    return {"Metadata": {FOLLOWED: {old: new}}, "Resources": resources}


def test_the_aliases_versions_are_known_by_their_functions():
    assert live_versions(template(2, former=1)) == {"api": "version1"}
    assert live_versions(template(2)) == {"api": "version2"}


def test_the_second_deploy_is_as_if_there_had_been_no_first():
    assert followed(template(2, former=1)) == template(2)
    assert followed(template(2)) == template(2)
    assert followed({**template(2), "Metadata": {"other": 1}})["Metadata"] == {"other": 1}


@pytest.fixture
def stacks(running_engine):
    with contextlib.closing(cloud.client("cloudformation", running_engine.url)) as client:
        yield client


def queue(seconds, kind="AWS::SQS::Queue"):
    return {"Resources": {"Queue": {"Type": kind, "Properties": {"VisibilityTimeout": seconds}}}}


def test_a_template_is_replaced_and_put_back(stacks):
    stack = StackTemplate(stacks, "Replaced")
    assert stack.read() is None
    assert stack.identity() is None
    stacks.create_stack(StackName="Replaced", TemplateBody=json.dumps(queue(1)))
    assert stack.await_rest() == "CREATE_COMPLETE"
    identity = stack.identity()
    for seconds in (2, 2, 1):
        stack.replace(queue(seconds))
        assert stack.read() == queue(seconds)
    assert stack.identity() == identity
    stack.delete()
    assert stack.identity() is None


def test_what_cloudformation_refuses_is_an_error(stacks):
    stack = StackTemplate(stacks, "Refused")
    stacks.create_stack(StackName="Refused", TemplateBody=json.dumps(queue(1)))
    stack.await_rest()
    with pytest.raises(DeploymentError, match="The stack Refused"):
        stack.replace(queue(1, "AWS::EC2::NatGateway"))
