"""The edge's plans on anybody's REST API."""

import json

import pytest
from aws_cdk import App, CfnOutput, Stack
from aws_cdk import aws_apigateway as apigateway

from tests.infra.linted import findings
from tidegate_cdk import EdgeThrottles, Plan, Throttle, TierError

PLANS = {
    "free": Plan(Throttle(rate_per_s=20, burst=60), quota_per_day=10_000),
    "gold-plus": Plan(Throttle(rate_per_s=0.5, burst=2)),
}


class Outsider:
    """A stack with a REST API and these plans."""

    def __init__(self, folder, plans, *, asks_for_keys=True):
        self.app = App(outdir=str(folder))
        self.stack = Stack(self.app, "Outsider")
        api = apigateway.RestApi(self.stack, "Api", rest_api_name="letters")
        self.throttles = EdgeThrottles(self.stack, "Throttles", api=api, plans=plans)
        for tier, key in self.throttles.keys.items():
            CfnOutput(self.stack, f"Key{tier.replace('-', '')}", value=key.key_id)
        # After the plans: the order is nobody's affair.
        api.root.add_method("GET", apigateway.MockIntegration(), api_key_required=asks_for_keys)

    def synthesized(self):
        return self.app.synth().get_stack_by_name("Outsider").template

    def of(self, kind):
        resources = self.synthesized()["Resources"].items()
        return {name: made["Properties"] for name, made in resources if made["Type"] == f"AWS::ApiGateway::{kind}"}


@pytest.fixture
def outsider(tmp_path):
    return Outsider(tmp_path, PLANS)


@pytest.mark.parametrize(
    ("tier", "throttle", "quota"),
    [
        ("free", {"RateLimit": 20, "BurstLimit": 60}, {"Limit": 10_000, "Period": "DAY"}),
        ("gold-plus", {"RateLimit": 0.5, "BurstLimit": 2}, None),
    ],
)
def test_each_tier_has_its_plan(outsider, tier, throttle, quota):
    (plan,) = [plan for plan in outsider.of("UsagePlan").values() if plan["UsagePlanName"] == f"letters-{tier}"]
    assert plan["Throttle"] == throttle
    assert plan.get("Quota") == quota
    (stage,) = outsider.of("Stage")
    (covered,) = plan["ApiStages"]
    assert covered["Stage"] == {"Ref": stage}


def test_each_plan_has_a_key_that_the_stack_can_name(outsider):
    document = outsider.synthesized()
    plans, keys = outsider.of("UsagePlan"), outsider.of("ApiKey")
    members = {key["KeyId"]["Ref"]: key["UsagePlanId"]["Ref"] for key in outsider.of("UsagePlanKey").values()}
    assert {keys[key]["Name"]: plans[plan]["UsagePlanName"] for key, plan in members.items()} == {
        name: name for name in ("letters-free", "letters-gold-plus")
    }
    for tier in PLANS:
        named = document["Outputs"][f"Key{tier.replace('-', '')}"]["Value"]["Ref"]
        assert keys[named]["Name"] == f"letters-{tier}"


def test_no_template_holds_a_key(outsider):
    assert not [key for key in outsider.of("ApiKey").values() if "Value" in key]


def test_plans_that_hold_for_nobody_are_refused(tmp_path):
    with pytest.raises(RuntimeError, match="asks for an API key"):
        Outsider(tmp_path, PLANS, asks_for_keys=False).synthesized()


def test_an_api_without_plans_needs_no_keys(tmp_path):
    assert not Outsider(tmp_path, {}, asks_for_keys=False).of("UsagePlan")


@pytest.mark.parametrize("tiers", [["Gold"], ["gold_plus"], ["-gold"], ["gold-plus", "goldplus"], [""]])
def test_tiers_that_would_not_be_told_apart_are_refused(tmp_path, tiers):
    with pytest.raises(TierError, match="such as gold-plus"):
        Outsider(tmp_path, dict.fromkeys(tiers, PLANS["free"]))


def test_a_quota_of_nothing_is_refused():
    with pytest.raises(ValueError, match="1 or more"):
        Plan(Throttle(rate_per_s=1, burst=1), quota_per_day=0)


def test_cloudformation_s_schemas_find_nothing(outsider, tmp_path):
    file = tmp_path / "outsider.json"
    file.write_text(json.dumps(outsider.synthesized()))
    assert findings(file) == []
