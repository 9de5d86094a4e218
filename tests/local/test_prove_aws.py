"""What the proof does to an account: its end leaves nothing of the environment, and a network cut takes itself back."""

import json
from contextlib import ExitStack

import boto3
import pytest
from botocore.stub import ANY, Stubber
from moto import mock_aws

from tidegate_local.errors import ProofError
from tidegate_local.prove.aws_site import AwsSite
from tidegate_local.prove.fault_injection import Where, cut, subnets_by_zone
from tidegate_local.prove.stack_end import destroy

STACK = "Tidegate-aws-prove1"
WHERE = Where(("subnet-1", "subnet-2"), "111122223333", "eu-west-1")


def table(**properties):
    key = {"AttributeName": "id", "AttributeType": "S"}
    return {
        "Type": "AWS::DynamoDB::Table",
        "DeletionPolicy": "Retain",
        "Properties": {
            "AttributeDefinitions": [key],
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
            **properties,
        },
    }


TEMPLATE = {
    "Resources": {
        "Orders": table(TableName="orders", DeletionProtectionEnabled=True),
        "Logs": {
            "Type": "AWS::Logs::LogGroup",
            "DeletionPolicy": "Retain",
            "Properties": {"LogGroupName": "/aws/lambda/api"},
        },
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "overflow"}},
    }
}


def no_wait(_seconds):
    """Nothing has to be waited for."""


class Protecting:
    """moto's CloudFormation, with the termination protection that it lacks."""

    def __init__(self, client):
        self._client, self.protected = client, True

    def __getattr__(self, name):
        return getattr(self._client, name)

    def describe_stacks(self, **asked):
        found = self._client.describe_stacks(**asked)
        return {"Stacks": [{**stack, "EnableTerminationProtection": self.protected} for stack in found["Stacks"]]}

    def update_termination_protection(self, *, StackName, EnableTerminationProtection):  # noqa: N803 - boto3's own
        assert StackName == STACK
        self.protected = EnableTerminationProtection

    def delete_stack(self, **asked):
        assert not self.protected, "AWS refuses to delete it"
        return self._client.delete_stack(**asked)


@pytest.fixture
def account():
    with mock_aws():
        stacks = Protecting(boto3.client("cloudformation", region_name="us-east-1"))
        others = {"cloudformation": stacks}
        yield lambda service: others.get(service) or boto3.client(service, region_name="us-east-1")


@pytest.fixture
def deployed(account):
    account("cloudformation").create_stack(StackName=STACK, TemplateBody=json.dumps(TEMPLATE))
    account("dynamodb").update_table(TableName="orders", DeletionProtectionEnabled=True)
    others = table(TableName="others")["Properties"]
    account("dynamodb").create_table(**others)
    account("logs").create_log_group(logGroupName="/aws/lambda/others")
    return account


def kept(account):
    groups = account("logs").describe_log_groups()["logGroups"]
    return {*account("dynamodb").list_tables()["TableNames"], *(group["logGroupName"] for group in groups)}


def test_a_protected_stack_goes_with_all_that_it_retains_and_nothing_else(deployed):
    destroy(deployed, STACK, no_wait)
    assert kept(deployed) == {"others", "/aws/lambda/others"}
    assert deployed("sqs").list_queues().get("QueueUrls", []) == []
    assert destroy(deployed, "Tidegate-aws-prove2", no_wait) == ()


def test_an_end_that_was_cut_short_is_taken_up_again(deployed):
    stacks = deployed("cloudformation")
    stacks.update_termination_protection(StackName=STACK, EnableTerminationProtection=False)
    deployed("dynamodb").update_table(TableName="orders", DeletionProtectionEnabled=False)
    stacks.delete_stack(StackName=STACK)
    assert {"orders", "/aws/lambda/api"} <= kept(deployed), "they are retained"
    destroy(deployed, STACK, no_wait)
    assert kept(deployed) == {"others", "/aws/lambda/others"}


@pytest.mark.parametrize("env", ["production", "prove", "prove-1", "Prove1", "prove12345678", ""])
def test_only_a_throwaway_environment_can_be_meant(tmp_path, env):
    with pytest.raises(ProofError, match="prove and 1 to 7"):
        AwsSite(tmp_path, env)


def test_what_was_not_deployed_by_it_is_not_destroyed(tmp_path):
    assert AwsSite(tmp_path, "prove1").destroy() == "nothing was deployed"


class Stubs:
    """Clients of a real service model that answer as they are told, and refuse what the model does."""

    def __init__(self, stack):
        self.clients = {name: boto3.client(name, region_name="eu-west-1") for name in ("fis", "iam")}
        self.of = {name: stack.enter_context(Stubber(client)) for name, client in self.clients.items()}

    def role(self):
        policy = "arn:aws:iam::aws:policy/service-role/AWSFaultInjectionSimulatorNetworkAccess"
        role = {"Path": "/", "RoleName": "r", "RoleId": "R" * 16, "Arn": "arn:aws:iam::1:role/r", "CreateDate": "2026"}
        iam = self.of["iam"]
        iam.add_response("create_role", {"Role": role}, {"RoleName": ANY, "AssumeRolePolicyDocument": ANY})
        iam.add_response("attach_role_policy", {}, {"RoleName": ANY, "PolicyArn": policy})
        iam.add_response("detach_role_policy", {}, {"RoleName": ANY, "PolicyArn": policy})
        iam.add_response("delete_role", {}, {"RoleName": ANY})

    def template(self, scope):
        fis = self.of["fis"]
        arns = [f"arn:aws:ec2:eu-west-1:111122223333:subnet/{subnet}" for subnet in WHERE.subnets]
        fis.add_response(
            "create_experiment_template",
            {"experimentTemplate": {"id": "EXT1"}},
            {
                "clientToken": ANY,
                "description": ANY,
                "roleArn": "arn:aws:iam::1:role/r",
                "stopConditions": [{"source": "none"}],
                "targets": {
                    "Subnets": {"resourceType": "aws:ec2:subnet", "resourceArns": arns, "selectionMode": "ALL"}
                },
                "actions": {
                    "cut": {
                        "actionId": "aws:network:disrupt-connectivity",
                        "parameters": {"duration": "PT3M", "scope": scope},
                        "targets": {"Subnets": "Subnets"},
                    }
                },
            },
        )
        fis.add_response(
            "start_experiment", {"experiment": {"id": "EXP1"}}, {"clientToken": ANY, "experimentTemplateId": "EXT1"}
        )

    def states(self, *states):
        for state in states:
            self.of["fis"].add_response(
                "get_experiment", {"experiment": {"state": {"status": state, "reason": "as told"}}}, {"id": "EXP1"}
            )

    def ends(self, *states):
        self.of["fis"].add_response("stop_experiment", {}, {"id": "EXP1"})
        self.states(*states)
        self.of["fis"].add_response("delete_experiment_template", {}, {"id": "EXT1"})

    def all_asked(self):
        for stub in self.of.values():
            stub.assert_no_pending_responses()


@pytest.fixture
def stubs():
    with ExitStack() as stack:
        yield Stubs(stack)


@pytest.mark.parametrize("scope", ["vpc", "availability-zone"])
def test_a_cut_lasts_as_long_as_its_block_and_leaves_nothing(stubs, scope):
    stubs.role()
    stubs.template(scope)
    stubs.states("initiating", "running")
    stubs.ends("stopping", "stopped")
    with cut(stubs.clients.__getitem__, WHERE, scope, no_wait):
        pass
    stubs.all_asked()


def test_what_goes_wrong_in_its_block_ends_a_cut(stubs):
    stubs.role()
    stubs.template("vpc")
    stubs.states("running")
    stubs.ends("stopped")
    with pytest.raises(KeyboardInterrupt), cut(stubs.clients.__getitem__, WHERE, "vpc", no_wait):
        raise KeyboardInterrupt
    stubs.all_asked()


def test_an_experiment_that_fails_is_told_and_leaves_nothing(stubs):
    stubs.role()
    stubs.template("vpc")
    stubs.states("failed")
    stubs.ends("stopped")
    with pytest.raises(ProofError, match="as told"), cut(stubs.clients.__getitem__, WHERE, "vpc", no_wait):
        pytest.fail("it isn't cut")
    stubs.all_asked()


def test_a_cut_that_has_ended_by_itself_is_no_fault(stubs):
    stubs.role()
    stubs.template("vpc")
    stubs.states("running")
    fis = stubs.of["fis"]
    fis.add_client_error("stop_experiment", "ValidationException", "it is completed")
    stubs.states("completed")
    fis.add_response("delete_experiment_template", {}, {"id": "EXT1"})
    with cut(stubs.clients.__getitem__, WHERE, "vpc", no_wait):
        pass
    stubs.all_asked()


def test_subnets_are_sorted_by_their_zones(account):
    ec2 = account("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    made = {}
    for number, zone in enumerate(("us-east-1a", "us-east-1b", "us-east-1a")):
        found = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=zone)
        made.setdefault(zone, set()).add(found["Subnet"]["SubnetId"])
    found = subnets_by_zone(ec2, [subnet for ids in made.values() for subnet in ids])
    assert {zone: set(ids) for zone, ids in found.items()} == made
