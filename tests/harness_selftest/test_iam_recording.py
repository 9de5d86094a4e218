"""Calls are recorded as the permissions that they use, by the function whose code makes them."""

import json
import sys
from pathlib import Path

import pytest

from tests.harness.iam import recording
from tests.harness.iam.calls import Resources, UnknownOperationError, uses
from tests.harness.iam.recording import Recorder, Used, role_of
from tests.harness.iam.stage_roles import StageRoles, written
from tests.harness.iam.template import Resolver, Role, UnresolvedError, roles
from tests.harness.iam.unneeded import Explained, unexplained

NAMED = Resources(
    lambda name: f"table/{name}",
    lambda url: f"queue/{url}",
    lambda name: f"function:{name}",
    lambda table, index: "owner" if index else "pk",
)
KEY = {"pk": {"S": "a"}}


def used(service, operation, **arguments):
    return [(call.action, call.resource, dict(call.context)) for call in uses(service, operation, arguments, NAMED)]


@pytest.mark.parametrize("operation", ["GetItem", "UpdateItem", "DeleteItem"])
def test_an_item_is_used_by_its_key(operation):
    expected = (f"dynamodb:{operation}", "table/t", {"dynamodb:LeadingKeys": ["a"]})
    assert used("dynamodb", operation, TableName="t", Key=KEY) == [expected]
    assert used("dynamodb", operation, TableName="t", Key={"pk": "a"}) == [expected]  # boto's resources know no types


def test_a_transaction_uses_what_its_parts_use():
    items = [
        {"Put": {"TableName": "t", "Item": KEY}},
        {"ConditionCheck": {"TableName": "u", "Key": {"pk": {"S": "b"}}}},
    ]
    assert used("dynamodb", "TransactWriteItems", TransactItems=items) == [
        ("dynamodb:PutItem", "table/t", {"dynamodb:LeadingKeys": ["a"]}),
        ("dynamodb:ConditionCheckItem", "table/u", {"dynamodb:LeadingKeys": ["b"]}),
    ]


def test_a_query_uses_the_index_and_the_key_that_it_names():
    arguments = {
        "KeyConditionExpression": "#o = :o AND created_at > :c",
        "ExpressionAttributeNames": {"#o": "owner"},
        "ExpressionAttributeValues": {":o": {"S": "me"}, ":c": {"S": "2026"}},
    }
    expected = ("dynamodb:Query", "table/t/index/by_owner", {"dynamodb:LeadingKeys": ["me"]})
    assert used("dynamodb", "Query", TableName="t", IndexName="by_owner", **arguments) == [expected]
    assert used("dynamodb", "Scan", TableName="t") == [("dynamodb:Scan", "table/t", {})]


def test_a_batch_uses_every_table_and_every_part():
    asked = {"t": {"Keys": [KEY, {"pk": {"S": "b"}}]}, "u": {"Keys": [KEY]}}
    found = used("dynamodb", "BatchGetItem", RequestItems=asked)
    assert [(resource, keys["dynamodb:LeadingKeys"]) for _, resource, keys in found] == [
        ("table/t", ["a", "b"]),
        ("table/u", ["a"]),
    ]
    assert used("sqs", "ChangeMessageVisibilityBatch", QueueUrl="q") == [("sqs:ChangeMessageVisibility", "queue/q", {})]


def test_a_version_is_used_by_its_number():
    assert used("lambda", "Invoke", FunctionName="f", Qualifier="7")[0][:2] == ("lambda:InvokeFunction", "function:f:7")
    assert used("lambda", "GetAlias", FunctionName="f", Name="live")[0][:2] == ("lambda:GetAlias", "function:f")


@pytest.mark.parametrize("service", ["codedeploy", "dynamodb", "lambda", "stepfunctions", "s3"])
def test_an_operation_that_is_not_known_is_not_let_through(service):
    with pytest.raises(UnknownOperationError):
        used(service, "DoSomethingNew", TableName="t")
    recorder = Recorder(written())
    recorder.note("api", service, "DoSomethingNew", {"TableName": "tidegate-1"})
    assert len(recorder.taken()) == 1


def frame_at(file, name="anything", inner=()):
    """A stack of calls, the outermost first."""
    space = {"sys": sys, "of": role_of}
    code, below = "of(sys._getframe(0))", [(file, name), *inner]
    for place, function in reversed(below):
        exec(compile(f"def {function}():\n    return {code}\n", str(recording._ROOT / place), "exec"), space)
        code = f"{function}()"
    return eval(code, space)


LIBRARY = "layers/tidegate/python/tidegate"


@pytest.mark.parametrize(
    ("file", "name", "inner", "role"),
    [
        ("tests/x.py", "test", (), None),
        ("functions/migrate/backfill.py", "round", [("tests/x.py", "meanwhile")], None),
        ("tests/x.py", "test", [("functions/migrate/backfill.py", "round")], "migrate"),
        (f"{LIBRARY}/stores/dynamodb/store.py", "admit", (), "api"),
        ("functions/api/data/orders.py", "put", (), "api"),
        ("functions/migrate/ledger.py", "read", (), "migrate"),
        ("functions/rollout/states.py", "lock", [("functions/rollout/ledger.py", "lock_")], "rollout"),
        ("functions/rollout/watching.py", "judge", [("functions/rollout/ledger.py", "write")], "judge"),
        ("functions/rollout/states.py", "past", [("functions/rollout/counts_in_dynamodb.py", "read")], "judge"),
        ("functions/rollout/codedeploy.py", "asked", [("functions/rollout/aliases.py", "in_force")], "hook"),
        (f"{LIBRARY}/overflow/queue.py", "put_off", [(f"{LIBRARY}/overflow/sqs.py", "put_off_")], "worker"),
        (f"{LIBRARY}/overflow/worker.py", "run", [("functions/api/data/orders.py", "put")], "worker"),
        ("localstack/tidegate_local/cli/commands.py", "release", [("functions/rollout/ledger.py", "read")], None),
    ],
)
def test_a_call_is_of_the_function_whose_code_makes_it(file, name, inner, role):
    assert frame_at(file, name, inner) == role


def test_what_a_role_does_not_allow_is_told_and_what_it_allows_is_noted():
    recorder = Recorder(written())
    for _ in range(2):
        recorder.note("judge", "dynamodb", "DeleteItem", {"TableName": "tidegate-1", "Key": KEY})
    recorder.note("judge", "dynamodb", "GetItem", {"TableName": "tidegate-1", "Key": KEY})
    recorder.note("judge", "dynamodb", "GetItem", {"TableName": "nowhere", "Key": KEY})
    library = written().places["library"]
    assert (
        recorder.taken()
        == [f"the role of judge doesn't allow dynamodb:DeleteItem on {library}, dynamodb:LeadingKeys a"] * 2
    )
    assert not recorder.taken()
    assert recorder.used == {Used("judge", "dynamodb:GetItem", library)}
    assert recorder.unplaced == {("judge", "table nowhere"): 1}


def test_leading_keys_are_evaluated_where_a_role_asks_for_them():
    library = written().places["library"]
    bound = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["limit#*"]}}
    role = Role([{"Effect": "Allow", "Action": "dynamodb:*", "Resource": library, "Condition": bound}], None)
    recorder = Recorder(StageRoles({"api": role}, written().places, written().keys))
    for key in ("limit#1", "release#aws"):
        recorder.note("api", "dynamodb", "UpdateItem", {"TableName": "tidegate-1", "Key": {"pk": {"S": key}}})
    ((denied),) = recorder.taken()
    assert denied.endswith("dynamodb:LeadingKeys release#aws")


def test_a_test_s_namespace_stands_for_the_stage_s():
    recorder = Recorder(written())
    for key in ("fleet#of-a-test", "ladder#default", "probe", "claim#1"):
        recorder.note("api", "dynamodb", "UpdateItem", {"TableName": "tidegate-1", "Key": {"pk": {"S": key}}})
    assert not recorder.taken()
    for key in ("release#of-a-test", "migrations#default"):
        recorder.note("api", "dynamodb", "UpdateItem", {"TableName": "tidegate-1", "Key": {"pk": {"S": key}}})
    assert len(recorder.taken()) == 2


def test_a_function_s_own_code_is_known_as_its_own():
    recorder = Recorder(written())
    recorder.evaluate("api", recording.Call("ec2:CreateNetworkInterface", "*"))
    assert recorder.taken() == ["the role of api doesn't allow ec2:CreateNetworkInterface on *"]


def stage(*statements):
    return StageRoles({"api": Role(list(statements), None)}, {}, {})


def test_a_grant_that_nothing_needs_has_to_be_explained():
    arn = "arn:aws:sqs:eu-west-1:1:queue"
    of = stage({"Effect": "Allow", "Action": ["sqs:SendMessage", "sqs:Purge*"], "Resource": [arn]})
    sent = Used("api", "sqs:SendMessage", arn)
    purge = Explained("api", "sqs:Purge*", "*", "A person.")
    assert [sentence.split(",")[0] for sentence in unexplained(of, [sent], [])] == [f"api may sqs:Purge* on {arn}"]
    assert not unexplained(of, [sent], [purge])
    assert "tests need all" in unexplained(of, [sent, Used("api", "sqs:PurgeQueue", arn)], [purge])[0]
    assert "which nothing grants" in unexplained(of, [sent], [purge, purge._replace(role="judge")])[0]


def test_references_of_a_template_become_arns():
    resources = {
        "T": {"Type": "AWS::DynamoDB::Table"},
        "Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "q"}},
    }
    resolve = Resolver(resources)
    table = {"Fn::GetAtt": ["T", "Arn"]}
    assert resolve({"Fn::Join": ["", [table, "/index/i"]]}) == "arn:aws:dynamodb:eu-west-1:123456789012:table/T/index/i"
    assert resolve({"Fn::Sub": "arn:${AWS::Partition}:sqs:${AWS::Region}::${Q}"}) == "arn:aws:sqs:eu-west-1::q"
    for unknown in ({"Fn::ImportValue": "x"}, {"Fn::GetAtt": ["T", "StreamArn"]}):
        with pytest.raises(UnresolvedError):
            resolve(unknown)


def test_policies_that_a_template_does_not_tell_are_not_taken_for_none():
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {"ManagedPolicyArns": ["arn:aws:iam::aws:policy/AdministratorAccess"]},
    }
    function = {"FunctionName": "shop-api", "Role": {"Fn::GetAtt": ["R", "Arn"]}}
    with pytest.raises(UnresolvedError, match="managed policies"):
        roles({"Resources": {"R": role, "F": {"Type": "AWS::Lambda::Function", "Properties": function}}})


def test_the_written_roles_are_read_as_they_were_written():
    path = Path(recording.__file__).with_name("roles.json")
    assert written().dumps() == path.read_text()
    assert set(json.loads(path.read_text())["roles"]) >= {
        "api",
        "worker",
        "migrate",
        "rollout",
        "judge",
        "machine",
        "hook",
    }
