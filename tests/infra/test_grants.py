from fnmatch import fnmatchcase
from itertools import chain

import pytest

from tidegate.clock import SystemClock
from tidegate.failover.fallback_clock import FallbackClock
from tidegate.limits.overrides import partition_key as overrides
from tidegate.messages import partition_key as claims
from tidegate.outcomes.in_dynamodb import partition_key as outcomes
from tidegate.overflow.dynamodb_positions import partition_key as positions
from tidegate.overflow.dynamodb_requests import partition_key as requests
from tidegate.stores.dynamodb.store import OrdinaryTime

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


# Neither has a resource to name: a trace has no ARN, and API Gateway's role is the account's for all APIs' logs.
TRACES = {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}


def names_no_resource(statement):
    actions = set(as_list(statement["Action"]))
    return actions <= INTERFACES | TRACES or "logs:FilterLogEvents" in actions


def test_no_resource_is_a_wildcard_but_where_none_can_be_named(synthesized):
    for statement in statements(synthesized):
        if names_no_resource(statement):
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
    assert set(wildcards[1]["Action"]) == INTERFACES
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
            by_table.setdefault(table + (resource["Fn::Join"][1][1] if joined else ""), []).append(sorted(actions))
    assert by_table == {
        "Tidegate": [["ConditionCheckItem", "DeleteItem", "GetItem", "PutItem", "UpdateItem"], ["GetItem"]],
        "Products": [["BatchGetItem", "GetItem", "Scan", "UpdateItem"]],
        "Orders": [["GetItem", "PutItem", "Scan"]],
        "Orders/index/by_owner": [["Query"]],
    }


def partition_keys(namespace):
    """One key of each kind that the library and the shop's health check use, by their own functions."""
    clock = FallbackClock.prefix, OrdinaryTime(SystemClock()).prefix
    return [
        *[f"{prefix}#b:free:key" for prefix in clock],
        claims("id"),
        requests("id"),
        requests("id", 2),
        positions("queue"),
        outcomes((namespace, "api", "7"), 29),
        f"ladder#{namespace}",
        f"fleet#{namespace}",
        "probe",
    ]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_items_are_granted_by_their_kind(synthesized, name):
    namespace = synthesized.stage.name
    (used, read) = [s for s in statements(synthesized, name) if "Condition" in s and "Null" in s["Condition"]]
    allowed = used["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
    for key in partition_keys(namespace):
        assert any(fnmatchcase(key, pattern) for pattern in allowed), key
    # A release's ledger is the controller's, the journal and the overrides are only read, and only of this namespace.
    for key in (f"release#{namespace}", f"migrations#{namespace}", overrides(namespace), "ladder#other", "x"):
        assert not any(fnmatchcase(key, pattern) for pattern in allowed), key
    assert read["Action"] == "dynamodb:GetItem"
    assert set(read["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]) == {
        f"migrations#{namespace}",
        overrides(namespace),
    }
    for statement in (used, read):
        assert statement["Condition"]["Null"] == {"dynamodb:LeadingKeys": "false"}


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


def test_an_asynchronous_refresh_lets_the_api_invoke_itself_alone(variant, both):
    def invoked(synthesized):
        return [
            s["Resource"] for s in statements(synthesized, "api") if "lambda:InvokeFunction" in as_list(s["Action"])
        ]

    (resource,) = invoked(variant("everything"))
    assert "-api" in str(resource)
    assert invoked(both["aws"]) == []
