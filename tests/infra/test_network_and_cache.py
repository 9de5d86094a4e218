from dataclasses import replace

import pytest
from ministack.services.cloudformation.provisioners import _RESOURCE_HANDLERS

from infra.stages import AWS
from tidegate_cdk.api.cache_limits import CacheLimits
from tidegate_cdk.setting_error import SettingError


@pytest.fixture
def aws(both):
    return both["aws"]


def test_the_local_engine_knows_every_resource_of_the_local_stage(both):
    # It refuses a whole template for one resource that it doesn't know.
    unknown = {r["Type"] for r in both["local"].document["Resources"].values()} - set(_RESOURCE_HANDLERS)
    assert not {name for name in unknown if not name.startswith("Custom::")}


def test_the_local_stage_has_neither_network_nor_cache(both):
    for resource in both["local"].document["Resources"].values():
        assert not resource["Type"].startswith(("AWS::EC2::", "AWS::ElastiCache::"))
    assert "VpcConfig" not in both["local"].function()


def test_nothing_in_the_vpc_reaches_the_internet(aws):
    for resource_type in ("AWS::EC2::InternetGateway", "AWS::EC2::NatGateway", "AWS::EC2::EIP", "AWS::EC2::Route"):
        assert not aws.resources(resource_type), resource_type
    for subnet in aws.properties("AWS::EC2::Subnet"):
        assert subnet["MapPublicIpOnLaunch"] is False


def test_dynamodb_is_reached_through_a_gateway_endpoint_from_every_subnet(aws):
    (endpoint,) = (e for e in aws.properties("AWS::EC2::VPCEndpoint") if e["VpcEndpointType"] == "Gateway")
    assert endpoint["ServiceName"]["Fn::Join"][1][-1] == ".dynamodb"
    tables = {table["Ref"] for table in endpoint["RouteTableIds"]}
    assert tables == set(aws.resources("AWS::EC2::RouteTable"))


def test_sqs_is_reached_through_an_endpoint_of_the_functions_own(aws):
    (endpoint,) = (e for e in aws.properties("AWS::EC2::VPCEndpoint") if e["VpcEndpointType"] == "Interface")
    assert endpoint["PrivateDnsEnabled"] is True
    assert "sqs" in str(endpoint["ServiceName"])
    assert {subnet["Ref"] for subnet in endpoint["SubnetIds"]} == set(aws.resources("AWS::EC2::Subnet"))
    rules = [r for r in aws.properties("AWS::EC2::SecurityGroupIngress") if r["FromPort"] == 443]
    assert [rule["GroupId"] for rule in rules] == endpoint["SecurityGroupIds"]
    assert rules[0]["SourceSecurityGroupId"] == aws.function()["VpcConfig"]["SecurityGroupIds"][0]


def test_the_function_is_in_the_isolated_subnets(aws):
    config = aws.function()["VpcConfig"]
    assert {subnet["Ref"] for subnet in config["SubnetIds"]} == set(aws.resources("AWS::EC2::Subnet"))
    assert len(config["SubnetIds"]) == 2
    assert len(config["SecurityGroupIds"]) == 1


def test_only_the_functions_reach_the_cache(aws):
    function_group = aws.function()["VpcConfig"]["SecurityGroupIds"][0]
    cache_group = aws.only("AWS::ElastiCache::ServerlessCache")["SecurityGroupIds"][0]
    (rule,) = (r for r in aws.properties("AWS::EC2::SecurityGroupIngress") if r["GroupId"] == cache_group)
    assert rule["SourceSecurityGroupId"] == function_group
    assert rule["GroupId"] == cache_group
    assert (rule["FromPort"], rule["ToPort"]) == (6379, 6380)
    for group in aws.properties("AWS::EC2::SecurityGroup"):
        assert "SecurityGroupIngress" not in group


def test_the_cache_is_a_serverless_valkey_with_capped_costs(aws):
    cache = aws.only("AWS::ElastiCache::ServerlessCache")
    assert (cache["Engine"], cache["MajorEngineVersion"]) == ("valkey", "8")
    assert cache["CacheUsageLimits"]["DataStorage"]["Maximum"] > 0
    assert cache["CacheUsageLimits"]["ECPUPerSecond"]["Maximum"] >= 1000


def test_its_one_user_authenticates_by_iam_and_has_the_librarys_keys_only(aws):
    user = aws.only("AWS::ElastiCache::User")
    assert user["AuthenticationMode"] == {"Type": "iam"}
    assert user["UserId"] == user["UserName"]  # as IAM authentication demands
    words = user["AccessString"].split()
    assert [word for word in words if word.startswith("~")] == ["~tidegate:*"]
    assert "-@dangerous" in words
    assert "+@all" not in words
    group = aws.only("AWS::ElastiCache::UserGroup")
    (user_id,) = aws.resources("AWS::ElastiCache::User")
    assert group["UserIds"] == [{"Ref": user_id}]


def test_the_function_connects_with_tls_as_a_cluster(aws):
    variables = aws.function()["Environment"]["Variables"]
    assert variables["TIDEGATE_REDIS_URL"]["Fn::Join"][1][0] == "rediss://"
    assert variables["TIDEGATE_REDIS_CLUSTER"] == "1"
    assert variables["TIDEGATE_REDIS_IAM_USER"] == aws.only("AWS::ElastiCache::User")["UserName"]
    cache = aws.only("AWS::ElastiCache::ServerlessCache")
    assert variables["TIDEGATE_REDIS_IAM_CACHE"] == cache["ServerlessCacheName"]


def test_endpoints_lead_to_the_stack_s_own_tables_and_queues_alone(aws):
    policies = {
        endpoint["VpcEndpointType"]: endpoint["PolicyDocument"]["Statement"]
        for endpoint in aws.properties("AWS::EC2::VPCEndpoint")
    }
    ((tables,), (queues,)) = policies["Gateway"], policies["Interface"]
    assert {arn["Fn::GetAtt"][0] for arn in tables["Resource"] if "Fn::GetAtt" in arn} == set(
        aws.resources("AWS::DynamoDB::Table")
    )
    assert all("Fn::GetAtt" in arn or arn["Fn::Join"][1][1] == "/index/*" for arn in tables["Resource"])
    assert {arn["Fn::GetAtt"][0] for arn in queues["Resource"]} == set(aws.resources("AWS::SQS::Queue"))


def test_what_the_network_refuses_is_logged(aws):
    flow = aws.only("AWS::EC2::FlowLog")
    assert (flow["ResourceType"], flow["TrafficType"]) == ("VPC", "REJECT")
    assert flow["ResourceId"] == {"Ref": next(iter(aws.resources("AWS::EC2::VPC")))}


def test_the_cache_has_a_minimum_only_where_a_stage_pays_for_one():
    limits = CacheLimits(data_gb=5, ecpu_per_s=50_000, least_data_gb=1, least_ecpu_per_s=5_000)
    assert (limits.least_data_gb, AWS.cache_limits.least_data_gb) == (1, None)
    with pytest.raises(SettingError, match="least_ecpu_per_s=60000: write 1 to 50000"):
        replace(limits, least_ecpu_per_s=60_000)


def test_the_fallback_is_warm_from_its_first_second_on(aws):
    warm = [table.get("WarmThroughput") for table in aws.properties("AWS::DynamoDB::Table")]
    expected = {"ReadUnitsPerSecond": AWS.warm.reads_per_s, "WriteUnitsPerSecond": AWS.warm.writes_per_s}
    assert [one for one in warm if one] == [expected]
