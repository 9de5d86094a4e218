from itertools import chain

import pytest

FUNCTIONS = ["api", "worker"]
INTERFACES = {
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
}


def as_list(value):
    return value if isinstance(value, list) else [value]


def statements(synthesized, function=""):
    policies = synthesized.of_function("AWS::IAM::Policy", function).values()
    return list(chain.from_iterable(policy["Properties"]["PolicyDocument"]["Statement"] for policy in policies))


def granted(synthesized, service):
    return {
        action
        for statement in statements(synthesized)
        if statement["Effect"] == "Allow"
        for action in as_list(statement["Action"])
        if action.startswith(f"{service}:")
    }


def test_roles_hold_no_managed_or_inline_policies(synthesized):
    for role in synthesized.properties("AWS::IAM::Role"):
        assert "ManagedPolicyArns" not in role
        assert "Policies" not in role


def test_no_action_is_a_wildcard(synthesized):
    for statement in statements(synthesized):
        assert not [action for action in as_list(statement["Action"]) if "*" in action]


def test_no_resource_is_a_wildcard_but_for_the_interfaces_that_lambda_makes(synthesized):
    for statement in statements(synthesized):
        if set(as_list(statement["Action"])) == INTERFACES:
            continue
        for resource in as_list(statement["Resource"]):
            assert "*" not in str(resource) or is_versions_of_a_function(resource)


def is_versions_of_a_function(resource):
    """A release calls and deletes versions, which have no names before they are published."""
    function, suffix = resource["Fn::Join"][1]
    return suffix == ":*" and function["Fn::GetAtt"][1] == "Arn" and "Function" in function["Fn::GetAtt"][0]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_function_s_own_code_may_not_touch_those_interfaces(both, name):
    wildcards = [s for s in statements(both["aws"], name) if s["Resource"] == "*"]
    assert [s["Effect"] for s in wildcards] == ["Allow", "Deny"]
    condition = wildcards[1]["Condition"]["ArnEquals"]["lambda:SourceFunctionArn"]
    function = both["aws"].function(name)["FunctionName"]
    assert condition["Fn::Join"][1][-1].endswith(f":function:{function}")
    assert not [s for s in statements(both["local"]) if s["Resource"] == "*"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_tables_are_granted_action_by_action(synthesized, name):
    by_table = {}
    for statement in statements(synthesized, name):
        actions = [a.removeprefix("dynamodb:") for a in as_list(statement["Action"]) if a.startswith("dynamodb:")]
        for resource in as_list(statement["Resource"]) if actions else ():
            joined = "Fn::Join" in resource
            arn = resource["Fn::Join"][1][0] if joined else resource
            table = arn["Fn::GetAtt"][0].removeprefix("Tables")[:-8]
            by_table[table + (resource["Fn::Join"][1][1] if joined else "")] = sorted(actions)
    assert by_table == {
        "Tidegate": ["ConditionCheckItem", "DeleteItem", "GetItem", "PutItem", "UpdateItem"],
        "Products": ["BatchGetItem", "GetItem", "Scan", "UpdateItem"],
        "Orders": ["GetItem", "PutItem", "Scan"],
        "Orders/index/by_owner": ["Query"],
    }


@pytest.mark.parametrize("name", FUNCTIONS)
def test_logs_go_to_the_function_s_own_group(synthesized, name):
    (log_group,) = synthesized.of_function("AWS::Logs::LogGroup", name)
    (statement,) = [s for s in statements(synthesized, name) if "logs:PutLogEvents" in as_list(s["Action"])]
    assert statement["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert statement["Resource"] == {"Fn::GetAtt": [log_group, "Arn"]}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_only_aws_connects_to_a_cache(both, name):
    assert granted(both["aws"], "elasticache") == {"elasticache:Connect"}
    assert not granted(both["local"], "elasticache")
    (cache,) = both["aws"].resources("AWS::ElastiCache::ServerlessCache")
    (user,) = both["aws"].resources("AWS::ElastiCache::User")
    (statement,) = [s for s in statements(both["aws"], name) if s["Action"] == "elasticache:Connect"]
    assert statement["Resource"] == [{"Fn::GetAtt": [cache, "ARN"]}, {"Fn::GetAtt": [user, "Arn"]}]
