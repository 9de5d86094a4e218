"""The engine publishes as Lambda does: nothing that equals the last version that is there."""

import contextlib
import io
import json
import zipfile
from hashlib import sha256

import pytest

from tests.local.deployed_function import deploy_function
from tidegate_local import cloud
from tidegate_local.engines.ministack.published_once import is_equal

pytestmark = pytest.mark.slow

QUICKLY = {"Delay": 0.05}


def code(number):
    """Equal code for equal numbers."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo("index.py"), f"def handler(event, context):\n    return {number}\n")
    return packed.getvalue()


@pytest.fixture
def function(functions, request):
    """`function(number)` gives a function that code, and returns the function's name."""
    name = f"once-{sha256(request.node.name.encode()).hexdigest()[:12]}"
    deploy_function(functions, name, "")

    def change(number):
        functions.update_function_code(FunctionName=name, ZipFile=code(number))
        functions.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=QUICKLY)
        return name

    return change


def published(functions, name):
    return functions.publish_version(FunctionName=name)["Version"]


def test_what_was_changed_and_changed_back_is_no_new_version(functions, function):
    name = function(1)
    assert published(functions, name) == "1"
    function(2)
    function(1)
    assert published(functions, name) == "1"
    function(2)
    assert published(functions, name) == "2"
    function(1)
    assert published(functions, name) == "3", "only the last version counts"


def test_a_changed_setting_is_a_new_version(functions, function):
    name = function(1)
    assert published(functions, name) == "1"
    functions.update_function_configuration(FunctionName=name, Timeout=11)
    functions.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=QUICKLY)
    assert published(functions, name) == "2"


def test_a_version_that_is_gone_is_published_under_the_next_number(functions, function):
    name = function(1)
    assert published(functions, name) == "1"
    function(2)
    assert published(functions, name) == "2"
    functions.delete_function(FunctionName=name, Qualifier="2")
    assert published(functions, name) == "3"


def test_what_lambda_alone_changes_makes_no_difference():
    function = {"CodeSha256": "a", "Timeout": 3, "RevisionId": "1", "State": "Pending", "Version": "$LATEST"}
    version = {"CodeSha256": "a", "Timeout": 3, "RevisionId": "2", "State": "Active", "Version": "7", "Layers": []}
    assert is_equal(version, function)
    assert not is_equal(version, function | {"Timeout": 4})


class Stack:
    """A stack with a version of a function, and with a resource that fails where one wants it."""

    def __init__(self, client, name, function, policy):
        self._client, self._name = client, name
        properties = {"FunctionName": function}
        self._version = {"Type": "AWS::Lambda::Version", "Properties": properties, "DeletionPolicy": policy}
        client.create_stack(StackName=name, TemplateBody=self._template({}))
        self._ended()

    def update(self, *, fails):
        """Publish a version of what the function is now."""
        nobody = {"ServiceToken": "arn:aws:lambda:us-east-1:000000000000:function:nobody"}
        release = {"Type": "Custom::Release", "Properties": nobody, "DependsOn": "Version"}
        resources = {"Version": self._version, **({"Release": release} if fails else {})}
        self._client.update_stack(StackName=self._name, TemplateBody=self._template(resources))
        return self._ended()

    def _template(self, resources):
        return json.dumps({"Resources": {"Kept": {"Type": "AWS::SQS::Queue"}, **resources}})

    def _ended(self):
        """Ask until it rests; the engine answers each time."""
        while (status := self._status()).endswith("_IN_PROGRESS"):
            pass
        return status

    def _status(self):
        return self._client.describe_stacks(StackName=self._name)["Stacks"][0]["StackStatus"]


@pytest.mark.parametrize(("policy", "again"), [("Retain", False), ("RetainExceptOnCreate", True)])
def test_the_same_sources_after_a_release_that_failed(running_engine, functions, function, policy, again):
    name = function(1)
    assert published(functions, name) == "1"
    with contextlib.closing(cloud.client("cloudformation", running_engine.url)) as client:
        stack = Stack(client, f"stack-{policy}", name, policy)
        function(2)
        assert stack.update(fails=True) == "UPDATE_ROLLBACK_COMPLETE"
        function(1)  # as CloudFormation puts it back
        function(2)
        assert (stack.update(fails=False) == "UPDATE_COMPLETE") is again
