"""What stands before the functions on AWS: WAF, the access log and X-Ray; none of it on the local stage."""

import json

import pytest

from infra.stages import AWS
from tidegate_cdk.api.edge import Domain, Edge
from tidegate_cdk.api.operations import Operations
from tidegate_cdk.setting_error import SettingError

POOL = "arn:aws:cognito-idp:eu-central-1:111122223333:userpool/eu-central-1_Shop"
CERTIFICATE = "arn:aws:acm:eu-central-1:111122223333:certificate/0b2c"


@pytest.fixture
def aws(both):
    return both["aws"]


def test_an_address_gets_a_hundred_requests_a_second_then_429(aws):
    acl = aws.only("AWS::WAFv2::WebACL")
    (rule,) = [rule for rule in acl["Rules"] if "RateBasedStatement" in rule["Statement"]]
    counted = rule["Statement"]["RateBasedStatement"]
    assert counted["AggregateKeyType"] == "IP"
    assert counted["Limit"] / counted["EvaluationWindowSec"] == AWS.edge.firewall.per_ip_per_s == 100
    refused = rule["Action"]["Block"]["CustomResponse"]
    assert refused["ResponseCode"] == 429
    assert [header["Name"] for header in refused["ResponseHeaders"]] == ["Retry-After"]
    body = json.loads(acl["CustomResponseBodies"][refused["CustomResponseBodyKey"]]["Content"])
    assert (body["status"], body["title"]) == (429, "Quota exceeded")


def test_aws_s_managed_rules_stand_before_the_stage(aws):
    acl = aws.only("AWS::WAFv2::WebACL")
    groups = [rule["Statement"].get("ManagedRuleGroupStatement") for rule in acl["Rules"]]
    assert [group["Name"] for group in groups if group] == list(AWS.edge.firewall.managed)
    assert len({rule["Priority"] for rule in acl["Rules"]}) == len(acl["Rules"])
    # The API takes bodies of 10 MB, and that rule refuses more than 8 KB.
    counted = [one["Name"] for group in groups if group for one in group.get("RuleActionOverrides", [])]
    assert counted == ["SizeRestrictions_BODY"]
    association = aws.only("AWS::WAFv2::WebACLAssociation")
    (stage,) = aws.resources("AWS::ApiGateway::Stage")
    assert {"Ref": stage} in association["ResourceArn"]["Fn::Join"][1]


def test_every_request_has_a_line_with_the_ids_of_the_application_s(aws):
    log = aws.only("AWS::ApiGateway::Stage")["AccessLogSetting"]
    members = json.loads(log["Format"])
    assert members["request_id"] == "$context.integration.requestId"
    assert members["edge_request_id"] == "$context.requestId"
    assert members["xray_trace_id"] == "$context.xrayTraceId"
    (group,) = [name for name in aws.resources("AWS::Logs::LogGroup") if name.startswith("GatewayAccessLog")]
    assert group in json.dumps(log["DestinationArn"])


def test_the_account_s_role_is_there_before_the_stage_and_stays(aws):
    ((account, made),) = aws.resources("AWS::ApiGateway::Account").items()
    (stage,) = aws.resources("AWS::ApiGateway::Stage").values()
    assert account in stage["DependsOn"]
    role = made["Properties"]["CloudWatchRoleArn"]["Fn::GetAtt"][0]
    stays = [made, aws.document["Resources"][role]]
    assert [one["DeletionPolicy"] for one in stays] == ["Retain", "Retain"]


def test_requests_are_traced_through_the_edge_and_both_functions(aws):
    assert aws.only("AWS::ApiGateway::Stage")["TracingEnabled"] is True
    assert [aws.function(name)["TracingConfig"] for name in ("api", "worker")] == [{"Mode": "Active"}] * 2


def test_every_queue_wants_tls(aws):
    policies = aws.properties("AWS::SQS::QueuePolicy")
    assert len(policies) == len(aws.resources("AWS::SQS::Queue"))
    for policy in policies:
        (statement,) = policy["PolicyDocument"]["Statement"]
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_what_takes_tags_has_the_stage_s(aws):
    told = [one["Properties"]["Tags"] for one in aws.resources("AWS::DynamoDB::Table").values()]
    for tags in told:
        assert {"Key": "Stage", "Value": "aws"} in tags
        assert {"Key": "Application", "Value": "tidegate"} in tags


def test_the_local_stage_has_none_of_it(both):
    local = both["local"]
    kinds = {resource["Type"] for resource in local.document["Resources"].values()}
    assert not {kind for kind in kinds if kind.startswith(("AWS::WAFv2", "AWS::EC2", "AWS::Budgets"))}
    stage = local.only("AWS::ApiGateway::Stage")
    assert not {"AccessLogSetting", "TracingEnabled", "Tags"} & set(stage)
    assert "TracingConfig" not in local.function()


@pytest.mark.parametrize(
    ("make", "mend"),
    [
        (lambda: Edge(user_pools=("eu-central-1_Shop",)), "write the ARN of a Cognito user pool"),
        (lambda: Edge(user_pools=(POOL,), iam=True), "one authorizer"),
        (lambda: Domain("https://api.shop.example", CERTIFICATE), "such as api.example.com"),
        (lambda: Domain("api.shop.example", "0b2c"), "in the API's own region"),
        (lambda: Operations(email="the team"), "such as team@example.com"),
        (lambda: Operations(topic_arn="alarms"), "write the ARN of an SNS topic"),
        (lambda: Operations(email="a@b.example", topic_arn="arn:aws:sns:eu-west-1:111122223333:a"), "both"),
        (lambda: Operations(budget_usd=0), "1 or more"),
    ],
)
def test_what_aws_would_refuse_is_refused_before(make, mend):
    with pytest.raises(SettingError, match=mend):
        make()
