import pytest
from ministack.services.cloudformation.provisioners import _RESOURCE_HANDLERS


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


def test_its_one_user_authenticates_by_iam_and_touches_the_library_s_keys_alone(aws):
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
