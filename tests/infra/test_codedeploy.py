import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

import app
from functions.rollout.order import Order
from infra.stages import AWS, select
from tidegate_build.assets import Workspace
from tidegate_cdk.api.codedeploy import interval_minutes
from tidegate_cdk.setting_error import SettingError
from tidegate_cdk.strategy import Shift, shift

from .conftest import ROOT, synthesize
from .test_grants import as_list, is_versions_of_a_function

TYPES = ("Application", "DeploymentConfig", "DeploymentGroup")


pytestmark = pytest.mark.xdist_group("templates")


@pytest.fixture
def deployed(variant):
    return variant("codedeploy")


def shifted(**context):
    return shift(select("aws", **context, rollout="codedeploy").release.weights)


def role_statements(deployed, name):
    policies = deployed.of_function("AWS::IAM::Policy", name).values()
    return [found for policy in policies for found in policy["Properties"]["PolicyDocument"]["Statement"]]


def test_without_it_nothing_is_codedeploy_s(synthesized):
    assert select("aws", rollout="tidegate") is AWS
    assert not [r for kind in TYPES for r in synthesized.resources(f"AWS::CodeDeploy::{kind}")]
    assert all("UpdatePolicy" not in a for a in synthesized.resources("AWS::Lambda::Alias").values())
    assert "Tidegate-aws-hook" not in json.dumps(synthesized.document)


def test_the_release_is_gone_and_all_else_is_as_it_was(both, deployed):
    assert outside(both["aws"].document, "Release") == outside(deployed.document, "Deployment")
    assert not deployed.resources("Custom::TidegateRelease")
    assert "ReleaseMachine" not in deployed.document["Outputs"]


def outside(document, construct):
    """The resources that aren't of a construct, without what they wait for and how they are updated."""
    return {
        name: {key: value for key, value in resource.items() if key not in {"DependsOn", "UpdatePolicy"}}
        for name, resource in document["Resources"].items()
        if not name.startswith(construct)
    }


def test_both_aliases_are_codedeploy_s_and_wait_for_the_hook(deployed):
    (hook,) = [name for name in deployed.resources("AWS::Lambda::Function") if "Hook" in name]
    aliases = deployed.resources("AWS::Lambda::Alias").values()
    policies = [alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"] for alias in aliases]
    groups = {policy["DeploymentGroupName"]["Ref"] for policy in policies}
    assert groups == set(deployed.resources("AWS::CodeDeploy::DeploymentGroup"))
    assert len(groups) == 2
    assert all(policy["BeforeAllowTrafficHook"] == {"Ref": hook} for policy in policies)
    assert all(hook in as_list(alias["DependsOn"]) for alias in aliases)


def test_failures_stops_and_the_release_s_alarms_turn_it_back(deployed):
    watched = {f"Tidegate-aws-{name}" for name in deployed.stage.release.alarms}
    assert watched <= {alarm["AlarmName"] for alarm in deployed.properties("AWS::CloudWatch::Alarm")}
    for group in deployed.properties("AWS::CodeDeploy::DeploymentGroup"):
        assert group["AlarmConfiguration"]["Enabled"] is True
        assert {alarm["Name"] for alarm in group["AlarmConfiguration"]["Alarms"]} == watched
        rollback = group["AutoRollbackConfiguration"]
        assert rollback["Enabled"] is True
        assert set(rollback["Events"]) == {
            "DEPLOYMENT_FAILURE",
            "DEPLOYMENT_STOP_ON_ALARM",
            "DEPLOYMENT_STOP_ON_REQUEST",
        }


def test_a_deployment_into_an_incident_is_not_stopped_by_its_alarms(tmp_path):
    stage = select("aws", rollout="codedeploy", into_incident="orders are lost")
    deployed = synthesize(stage, tmp_path, Workspace.at(ROOT))
    for group in deployed.properties("AWS::CodeDeploy::DeploymentGroup"):
        assert not group.get("AlarmConfiguration", {}).get("Alarms")
        assert set(group["AutoRollbackConfiguration"]["Events"]) == {
            "DEPLOYMENT_FAILURE",
            "DEPLOYMENT_STOP_ON_REQUEST",
        }
    assert "orders are lost" in json.dumps(deployed.function("hook")["Environment"])


def test_ten_percent_for_five_minutes_then_all(deployed):
    config = deployed.only("AWS::CodeDeploy::DeploymentConfig")
    assert config["ComputePlatform"] == "Lambda"
    assert config["TrafficRoutingConfig"] == {
        "Type": "TimeBasedCanary",
        "TimeBasedCanary": {"CanaryInterval": 5, "CanaryPercentage": 10},
    }
    # A name would be in its own way when the config changes, which replaces it.
    assert "DeploymentConfigName" not in config


def test_the_hook_is_told_what_a_release_is_told(both, deployed):
    ordered = deployed.function("hook")["Environment"]["Variables"]["TIDEGATE_ORDER"]["Fn::Join"][1]
    versions = iter(["7", "5"])
    fields = {"Version": lambda: next(versions), "Ref": lambda: "a-name"}
    text = "".join(
        part if isinstance(part, str) else fields["Ref" if "Ref" in part else part["Fn::GetAtt"][1]]()
        for part in ordered
    )
    order = Order.of(json.loads(text))
    assert [(target.version, target.serves) for target in order.targets] == [("7", "http"), ("5", "queue")]
    assert (order.alias, order.migrate) == ("live", "a-name")
    assert deployed.function("hook")["Handler"] == "functions.rollout.hook.handler"
    assert "Layers" not in deployed.function("hook")
    assert deployed.function("hook")["Code"] == both["aws"].function("rollout")["Code"]


def test_hook_and_codedeploy_may_do_this_alone(deployed):
    def granted(name):
        return {action for found in role_statements(deployed, name) for action in as_list(found["Action"])}

    assert granted("DeploymentHookRole") == {
        "codedeploy:PutLifecycleEventHookExecutionStatus",
        "lambda:GetAlias",
        "lambda:InvokeFunction",
        "lambda:ListVersionsByFunction",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    }
    assert granted("DeploymentRole") == {
        "cloudwatch:DescribeAlarms",
        "lambda:GetAlias",
        "lambda:GetProvisionedConcurrencyConfig",
        "lambda:InvokeFunction",
        "lambda:UpdateAlias",
    }
    assert all("ManagedPolicyArns" not in role for role in deployed.properties("AWS::IAM::Role"))
    for statement in role_statements(deployed, "Deployment"):
        for resource in as_list(statement["Resource"]):
            assert "*" not in str(resource) or is_versions_of_a_function(resource)


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (None, Shift("canary", 10)),
        ("canary", Shift("canary", 10)),
        ("5", Shift("canary", 5)),
        ("linear", Shift("linear", 10)),
        ("30,60,90", Shift("linear", 30)),
        ("all-at-once", None),
    ],
)
def test_a_strategy_in_codedeploy_s_words(strategy, expected):
    assert shifted(strategy=strategy) == expected


@pytest.mark.parametrize("strategy", ["1,10,50", "10,20", "0.5", "12.5,25", "20,40,60"])
def test_another_list_is_refused_with_what_codedeploy_takes(strategy):
    with pytest.raises(SettingError, match=r"CodeDeploy can't shift by .* canary .* linear .* all-at-once"):
        shifted(strategy=strategy)


@pytest.mark.parametrize(("step_s", "minutes"), [("30", 1), ("60", 1), ("61", 2), ("600", 10)])
def test_a_step_lasts_whole_minutes(step_s, minutes):
    release = select("aws", strategy="linear", step_s=step_s, rollout="codedeploy").release
    assert interval_minutes(release) == minutes


def test_the_local_stage_has_no_codedeploy():
    with pytest.raises(SettingError, match="its engine has no CodeDeploy"):
        select("local", rollout="codedeploy")


def test_it_is_the_context_s(monkeypatch):
    context = {"stage": "local", "rollout": "codedeploy"}
    monkeypatch.setattr(app, "App", lambda: SimpleNamespace(node=SimpleNamespace(try_get_context=context.get)))
    with pytest.raises(SettingError, match="has no CodeDeploy"):
        app.main()


def test_another_rollout_is_refused():
    with pytest.raises(SettingError, match="it takes tidegate or codedeploy"):
        select("aws", rollout="argo")


def test_provisioned_concurrency_still_takes_no_weights():
    stage = select("aws", strategy="all-at-once", rollout="codedeploy")
    assert replace(stage, provisioned=2).release.by == "codedeploy"
    with pytest.raises(SettingError, match="takes no weights"):
        replace(select("aws", rollout="codedeploy"), provisioned=2)
