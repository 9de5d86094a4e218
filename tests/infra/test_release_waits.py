"""What a release waits for: a network, roles that are known everywhere, and an answer that arrives."""

import pytest

from tests.infra.test_grants import as_list
from tidegate_cdk.release_machine import definition
from tidegate_cdk.release_time import CLOUDFORMATION_S, MACHINE_S, PREPARING_S

# Reached through references alone, or made of nothing that traffic passes.
NETWORK = ("AWS::EC2::VPCEndpoint", "AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress")
ROUTES = ("AWS::EC2::SubnetRouteTableAssociation",)


def waits_for(synthesized, name):
    """All resources that CloudFormation makes before this one: named, referred to, and those behind them."""
    resources, seen, todo = synthesized.document["Resources"], set(), [name]
    while todo:
        at = todo.pop()
        found = {*as_list(resources[at].get("DependsOn", [])), *referred(resources[at].get("Properties", {}))}
        todo += [one for one in found & resources.keys() if one not in seen]
        seen |= found & resources.keys()
    return seen


def referred(value):
    if isinstance(value, list):
        return {name for each in value for name in referred(each)}
    if not isinstance(value, dict):
        return set()
    if set(value) == {"Ref"}:
        return {value["Ref"]}
    if set(value) == {"Fn::GetAtt"}:
        return {as_list(value["Fn::GetAtt"])[0].split(".")[0]}
    return {name for each in value.values() for name in referred(each)}


def test_the_release_waits_for_every_endpoint_and_every_rule(both):
    aws = both["aws"]
    (release,) = aws.resources("Custom::TidegateRelease")
    needed = {name for kind in (*NETWORK, *ROUTES) for name in aws.resources(kind)}
    assert len(needed) > 6
    assert needed <= waits_for(aws, release)


def test_so_does_every_function_in_the_network(both):
    aws = both["aws"]
    needed = {name for kind in (*NETWORK, *ROUTES) for name in aws.resources(kind)}
    inside = [name for name, one in aws.resources("AWS::Lambda::Function").items() if "VpcConfig" in one["Properties"]]
    assert len(inside) == 3
    for name in inside:
        assert needed <= waits_for(aws, name), name


def test_the_release_waits_for_the_cache_and_for_every_policy(both):
    aws = both["aws"]
    (release,) = aws.resources("Custom::TidegateRelease")
    policies = set(aws.resources("AWS::IAM::Policy"))
    before = waits_for(aws, release)
    assert {
        *aws.resources("AWS::ElastiCache::ServerlessCache"),
        *aws.resources("AWS::ElastiCache::UserGroup"),
    } <= before
    assert {name for name in policies if not name.startswith("Gateway")} <= before


def longest_s(retrier):
    """For how long a retrier repeats a call that fails at once."""
    total, pause = 0, retrier["IntervalSeconds"]
    for _ in range(retrier["MaxAttempts"]):
        total += min(pause, retrier.get("MaxDelaySeconds", pause))
        pause *= retrier["BackoffRate"]
    return total


def retriers(state, error):
    return next((one for one in state["Retry"] if {error, "States.ALL"} & set(one["ErrorEquals"])), None)


@pytest.mark.parametrize("error", ["DeniedError", "Lambda.AWSLambdaException", "Lambda.AccessDeniedException"])
@pytest.mark.parametrize("name", ["Lock", "Before", "Expand", "Ready", "Warm", "Past", "Shift", "Judge", "Promote"])
def test_a_role_that_is_new_has_a_minute_to_be_known(name, error):
    found = retriers(definition("rollout", "judge")["States"][name], error)
    assert 60 <= longest_s(found) < PREPARING_S


def test_the_answer_is_sent_until_the_machine_s_time_is_over():
    answer = definition("rollout", "judge")["States"]["Answer"]
    for error in ("DeniedError", "Lambda.AWSLambdaException", "HTTPError"):
        assert longest_s(retriers(answer, error)) >= MACHINE_S


def test_a_machine_that_ends_without_an_answer_is_told_to_the_controller(synthesized):
    rule = synthesized.only("AWS::Events::Rule")
    (machine,) = synthesized.resources("AWS::StepFunctions::StateMachine")
    detail = rule["EventPattern"]["detail"]
    assert detail["stateMachineArn"] == [{"Fn::GetAtt": [machine, "Arn"]}]
    assert detail["status"] == ["FAILED", "TIMED_OUT", "ABORTED"]
    (target,) = rule["Targets"]
    assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] == CLOUDFORMATION_S
    (permission,) = [
        name
        for name, one in synthesized.resources("AWS::Lambda::Permission").items()
        if one["Properties"]["Principal"] == "events.amazonaws.com"
    ]
    (release,) = synthesized.resources("Custom::TidegateRelease")
    assert permission in waits_for(synthesized, release)


def test_calls_of_the_machine_s_own_are_of_the_partition(synthesized):
    (machine,) = synthesized.properties("AWS::StepFunctions::StateMachine")
    assert "arn:aws:" not in str(machine["DefinitionString"])
