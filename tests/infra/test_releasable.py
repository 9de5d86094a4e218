"""What can't be released, and settings that would say nothing, are refused before anything is deployed."""

import json

import pytest
from aws_cdk import App, NestedStack, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_

from tests.infra.outsider import function
from tidegate_cdk import JudgedRelease, Metrics, ProtectedApi, Rollout, SettingError, Smoke, TidegateCounts
from tidegate_cdk.release_machine import definition

VERSION_ARN = "arn:aws:lambda:eu-central-1:123456789012:function:sums:3"


def alias(stack, of, **options):
    return lambda_.Alias(stack, "Live", alias_name="live", **{"version": of.current_version if of else None, **options})


@pytest.fixture
def stack(tmp_path):
    return Stack(App(outdir=str(tmp_path)), "Outsider")


def template(stack):
    return stack.node.root.synth().get_stack_by_name(stack.stack_name).template


def test_a_function_of_another_stack_is_refused_with_where_to_release_it(stack):
    other = Stack(stack.node.root, "Other")
    for released in (function(other), alias(other, function(stack))):
        with pytest.raises(SettingError, match=r"Other.* is in the stack Other, .* make a JudgedRelease of it there"):
            JudgedRelease(stack, f"Of{released.node.id}", functions=[released])


def test_a_function_of_a_nested_stack_is_released(stack):
    released = function(NestedStack(stack, "Nested"))
    JudgedRelease(stack, "Release", functions=[released])
    (order,) = [of for of in template(stack)["Resources"].values() if of["Type"] == "Custom::TidegateRelease"]
    (target,) = order["Properties"]["Targets"]
    assert target["Version"]["Fn::GetAtt"][1].startswith("Outputs.")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda s, f: lambda_.Function.from_function_name(s, "I", "sums"), "publishes no versions here"),
        (lambda s, f: f.current_version, "publishes no versions here"),
        (lambda s, f: "sums", "'sums', which publishes no versions here"),
        (lambda s, f: alias(s, None, version=f.latest_version), r"of \$LATEST, which is no published version"),
    ],
)
def test_what_publishes_no_version_is_refused(stack, made, said):
    with pytest.raises(SettingError, match=said):
        JudgedRelease(stack, "Release", functions=[made(stack, function(stack))])


def weighted(stack, of):
    other = lambda_.Version.from_version_arn(stack, "Other", VERSION_ARN)
    return alias(stack, of, additional_versions=[lambda_.VersionWeight(version=other, weight=0.1)])


def scaled(stack, of):
    made = alias(stack, of)
    made.add_auto_scaling(max_capacity=4)
    return made


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (weighted, "has weights of its own"),
        (lambda s, f: alias(s, f, provisioned_concurrent_executions=2), "has provisioned concurrency"),
        (scaled, "has provisioned concurrency"),
        (lambda s, f: alias(s, f) and f, "has the function and the name of"),
        (lambda s, f: JudgedRelease(s, "Twice", functions=[f]) and f, "has the function and the name of"),
    ],
)
def test_an_alias_that_can_not_be_moved_alone_fails_the_synthesis(stack, made, said):
    JudgedRelease(stack, "Release", functions=[made(stack, function(stack))])
    with pytest.raises(RuntimeError, match=said):
        template(stack)


def test_all_at_once_an_alias_may_have_provisioned_concurrency(stack):
    provisioned = alias(stack, function(stack), provisioned_concurrent_executions=2)
    JudgedRelease(stack, "Release", functions=[provisioned], strategy="all-at-once")
    assert template(stack)


def test_an_alias_is_moved_by_one_release(stack):
    api = ProtectedApi(stack, "Api", code="examples/without_cdk/src", handler="app.handler", cache=None)
    with pytest.raises(SettingError, match="is moved by Outsider/Api/Release already: give it to one release"):
        JudgedRelease(stack, "Release", functions=[api.api.alias])


@pytest.mark.parametrize("name", ["", "$LATEST", "7", "a b", "live:x", "x" * 129])
def test_a_name_that_lambda_takes_for_no_alias_is_refused(stack, name):
    with pytest.raises(SettingError, match=r"alias_name is .*, such as live"):
        JudgedRelease(stack, "Release", functions=[function(stack)], alias_name=name)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"smoke": "/health"}, r"smoke is '/health': write a list, such as \['/health'\]"),
        ({"smoke": [5]}, "smoke has 5: write a path"),
        ({"smoke": [Smoke("/none", "404")]}, "smoke has status='404': write a number"),
        ({"smoke": [{"at": float("nan")}]}, "smoke has what is no JSON"),
        ({"step_s": 300.5}, "step_s=300.5: write 1 or more, a whole number"),
        ({"smoke": [{"at": object()}]}, "smoke has what is no JSON"),
        ({"alarms": "Errors"}, r"alarms is 'Errors': write a list, such as \['Errors'\]"),
        ({"alarms": [f"A{at}" for at in range(101)]}, "write a composite alarm of them"),
        ({"strategy": ""}, "strategy is ''"),
        ({"step_s": 0}, "step_s=0: write 1 or more"),
        ({"unattended": "wait"}, "unattended='wait': write one of roll_back, go_on"),
        ({"rollout": Rollout(by="codedeploy")}, "a JudgedRelease shifts traffic by itself"),
        ({"rollout": Rollout(alarms=("Errors",))}, r"write alarms=\['Errors'\] beside it"),
    ],
)
def test_an_argument_that_would_say_nothing_is_refused(stack, options, said):
    with pytest.raises(ValueError, match=said):
        JudgedRelease(stack, "Release", functions=[function(stack)], **options)


def test_one_function_is_no_list_of_them(stack):
    with pytest.raises(SettingError, match=r"functions is one function: write a list, such as \[function\]"):
        JudgedRelease(stack, "Release", functions=function(stack))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: Rollout(weights=(50, 10)), "rising percentages"),
        (lambda: Rollout(weights=(0,)), "rising percentages"),
        (lambda: Rollout(weights=(50, 100)), "rising percentages"),
        (lambda: Rollout(weights=(0.001, 50)), "0.01 is the least that Lambda takes"),
        (lambda: Rollout(weights=("1", "50")), "rising percentages"),
        (lambda: Rollout(look_s=1.5), "look_s=1.5: write a whole number, 1 or more"),
        (lambda: Rollout(most_s="120"), "most_s='120': write a whole number"),
        (lambda: Rollout(least_s=200), "most_s=120, and least_s=200: write most_s of 200 or more, or least_s of 120"),
        (lambda: Rollout(last_most_s=30), "last_most_s=30, and least_s=60: write last_most_s of 60 or more"),
        (lambda: Rollout(bake_percent=150), "bake_percent=150: write more than 0 and less than 100"),
        (lambda: Rollout(look_s=0), "look_s=0: write a whole number, 1 or more"),
        (lambda: Rollout(keep=0), "keep=0: write a whole number, 1 or more"),
        (lambda: Rollout(hold_s=-1), "hold_s=-1: write a whole number, 0 or more"),
        (lambda: Rollout(unproven="holds"), "unproven='holds': write one of advance, top_up, wait, hold"),
        (lambda: Rollout(by="hand"), "by='hand': write one of tidegate, codedeploy, two-deploys"),
        (lambda: Metrics("Shop", dimensions={"service": "{function}"}), "the same for both versions: write one with"),
        (lambda: Metrics("Shop", errors=""), "an empty namespace, errors or duration"),
        (lambda: Metrics("Shop", settled_s=-60), "settled_s=-60: write 0 or more"),
        (lambda: TidegateCounts(environment={"TIDEGATE_NAMESPACE": "shop"}), "TIDEGATE_NAMESPACE: write namespace"),
        (lambda: TidegateCounts(security_groups=[object()]), "those of a vpc: write vpc"),
    ],
)
def test_a_setting_that_no_release_could_follow_is_refused(wrong, said):
    with pytest.raises(SettingError, match=said):
        wrong()


def test_a_reason_to_release_into_an_incident_is_ordered(stack):
    release = Rollout(into_incident="it loses orders", least_s=300, most_s=360, last_most_s=600, bake_s=600)
    JudgedRelease(stack, "Release", functions=[function(stack)], rollout=release)
    (order,) = [of for of in template(stack)["Resources"].values() if of["Type"] == "Custom::TidegateRelease"]
    assert order["Properties"]["IntoIncident"] == "it loses orders"


def test_composite_alarms_are_asked_for_too(stack):
    rule = cloudwatch.AlarmRule.from_boolean(value=False)
    alarm = cloudwatch.CompositeAlarm(stack, "Alarm", alarm_rule=rule)
    JudgedRelease(stack, "Release", functions=[function(stack)], alarms=[alarm])
    assert template(stack)
    for state in definition("rollout", "rollout", ["A"])["States"].values():
        if state.get("Resource", "").endswith("describeAlarms"):
            assert state["Parameters"]["AlarmTypes"] == ["CompositeAlarm", "MetricAlarm"]
            assert state["ResultSelector"] == {"ringing.$": "$.*[*].AlarmName"}


def test_whoever_uses_a_table_may_use_the_key_that_encrypts_it(stack):
    table = dynamodb.Table(
        stack,
        "Table",
        partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
        encryption_key=kms.Key(stack, "Key"),
    )
    api = Stack(stack.node.root, "Letters")
    ProtectedApi(api, "Api", code="examples/without_cdk/src", handler="app.handler", cache=None, table=table)
    JudgedRelease(stack, "Release", functions=[function(stack)], table=table)
    roles = [
        name
        for of in (stack, api)
        for name, made in template(of)["Resources"].items()
        if made["Type"] == "AWS::IAM::Policy" and "kms:Decrypt" in json.dumps(made)
    ]
    # The controller and the machine of both releases, and the API's function.
    assert len(roles) == 5, roles


def test_a_function_that_is_not_released_has_no_alias_and_is_named(stack):
    release = JudgedRelease(stack, "Release", functions=[function(stack)])
    with pytest.raises(KeyError, match="Outsider/Other isn't released by Outsider/Release: give it to functions"):
        release.alias(function(stack, "Other"))


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"partition_key": dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING)}, "has another key"),
        ({"partition_key": dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.NUMBER)}, "has another key"),
        ({"sort_key": dynamodb.Attribute(name="sk", type=dynamodb.AttributeType.STRING)}, "has another key"),
        ({"time_to_live_attribute": "ttl"}, 'write time_to_live_attribute="expires_at", or take a TidegateTable'),
    ],
)
@pytest.mark.parametrize("kind", [dynamodb.Table, dynamodb.TableV2])
def test_a_table_of_another_key_is_refused(stack, kind, made, said):
    key = dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING)
    table = kind(stack, "Table", **{"partition_key": key, **made})
    with pytest.raises(SettingError, match=said):
        JudgedRelease(stack, "Release", functions=[function(stack)], table=table)
    with pytest.raises(SettingError, match=said):
        ProtectedApi(stack, "Api", code="examples/without_cdk/src", handler="app.handler", table=table)


def test_a_table_of_the_library_key_is_taken(stack):
    key = dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING)
    table = dynamodb.TableV2(stack, "Table", partition_key=key, time_to_live_attribute="expires_at")
    JudgedRelease(stack, "Release", functions=[function(stack)], table=table)
    assert template(stack)
