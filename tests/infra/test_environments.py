"""Two environments in one account: no physical name of one is the other's."""

import json
from itertools import chain

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from tests.infra.conftest import EVERYTHING

pytestmark = pytest.mark.xdist_group("templates")

REGION = "eu-central-1"
# Names of things that are inside others: a function's alias, a queue's mapping, a usage plan's key.
WITHIN = {
    "AWS::IAM::Policy",
    "AWS::Lambda::Alias",
    "AWS::ApiGateway::Stage",
    "AWS::ApiGateway::Method",
    "AWS::ApiGateway::GatewayResponse",
}


def physical_names(synthesized):
    """(type, property, value) of each literal that CloudFormation's own schemas count to a resource's identity."""
    found = set()
    for resource in synthesized.document["Resources"].values():
        kind, properties = resource["Type"], resource.get("Properties", {})
        if kind.startswith("Custom::") or kind in WITHIN:
            continue
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind).schema
        named = [*schema.get("primaryIdentifier", []), *chain.from_iterable(schema.get("additionalIdentifiers", []))]
        names = {pointer.rpartition("/")[2] for pointer in named} | {
            name for name in properties if name.endswith("Name")
        }
        for name in names & set(properties):
            if isinstance(properties[name], str):
                found.add((kind, name, properties[name]))
    return found


# These are a function's own, and the same in every environment: what they are of has a name of its own.
SHARED = {
    ("AWS::WAFv2::WebACL", "Scope"),
    ("AWS::EC2::VPCEndpoint", "VpcEndpointType"),
    ("AWS::CloudWatch::Alarm", "MetricName"),
    ("AWS::EC2::FlowLog", "ResourceType"),
}


def test_no_name_of_one_environment_is_another_s(both, variant):
    ours, theirs = physical_names(both["aws"]), physical_names(variant("everything"))
    assert len(ours) > 20
    assert {one for one in ours & theirs if one[:2] not in SHARED} == set()


def test_what_they_keep_in_common_stores_is_told_apart(both, variant):
    variables = [made.function()["Environment"]["Variables"] for made in (both["aws"], variant("everything"))]
    for name in ("TIDEGATE_NAMESPACE", "POWERTOOLS_SERVICE_NAME"):
        assert len({told[name] for told in variables}) == 2
    assert variables[1]["TIDEGATE_NAMESPACE"] == "aws-staging"
    assert variables[0]["POWERTOOLS_SERVICE_NAME"] == "api"


def test_dashboard_and_alarms_read_the_environment_s_own_metrics(variant):
    made = variant("everything")
    told = json.dumps([made.only("AWS::CloudWatch::Dashboard"), made.properties("AWS::CloudWatch::Alarm")])
    assert "api-staging" in told
    assert 'service=\\"api\\"' not in told.replace("\\\\", "\\")
    for alarm in made.properties("AWS::CloudWatch::Alarm"):
        for query in alarm.get("Metrics", []):
            for one in query.get("MetricStat", {}).get("Metric", {}).get("Dimensions", []):
                assert (one["Name"], one["Value"]) != ("service", "api")


def test_nothing_is_looked_up_though_account_and_region_are_given(variant):
    made = variant("everything")
    subnets = [subnet["AvailabilityZone"] for subnet in made.properties("AWS::EC2::Subnet")]
    assert all("Fn::GetAZs" in json.dumps(zone) for zone in subnets)
    assert made.stage.region == EVERYTHING["region"]


def test_an_environment_has_what_was_asked_for_it(variant):
    made = variant("everything")
    assert made.function()["ReservedConcurrentExecutions"] == 20
    assert not any(table.get("DeletionProtectionEnabled") for table in made.properties("AWS::DynamoDB::Table"))
    domain = made.only("AWS::ApiGateway::DomainName")
    assert (domain["DomainName"], domain["SecurityPolicy"]) == ("api.shop.example", "TLS_1_2")
    assert made.only("AWS::ApiGateway::RestApi")["DisableExecuteApiEndpoint"] is True
    assert made.document["Outputs"]["ApiUrl"]["Value"] == "https://api.shop.example/"
    assert made.only("AWS::Route53::RecordSet")["HostedZoneId"] == EVERYTHING["zone"]
    assert made.only("AWS::SNS::Subscription")["Endpoint"] == "team@shop.example"
    assert made.only("AWS::Budgets::Budget")["Budget"]["BudgetLimit"] == {"Amount": 100, "Unit": "USD"}


def test_all_but_health_and_preflights_want_a_token(variant):
    made = variant("everything")
    (authorizer,) = made.resources("AWS::ApiGateway::Authorizer")
    for method in made.properties("AWS::ApiGateway::Method"):
        if method.get("ApiKeyRequired"):
            assert (method["AuthorizationType"], method["AuthorizerId"]) == ("COGNITO_USER_POOLS", {"Ref": authorizer})
        else:
            assert method["AuthorizationType"] == "NONE"
            assert "AuthorizerId" not in method


def test_the_api_may_invoke_itself_where_its_caches_refresh_so(both, variant):
    made = variant("everything")
    endpoints = [json.dumps(endpoint["ServiceName"]) for endpoint in made.properties("AWS::EC2::VPCEndpoint")]
    assert sum(".lambda" in name for name in endpoints) == 1
    granted = json.dumps(list(made.of_function("AWS::IAM::Policy", "api").values()))
    assert "lambda:InvokeFunction" in granted
    assert "Tidegate-aws-staging-api:live" in granted
    plain = json.dumps(list(both["aws"].of_function("AWS::IAM::Policy", "api").values()))
    assert "lambda:InvokeFunction" not in plain
