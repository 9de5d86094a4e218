"""DynamoDB by moto, and what is mended of it."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.localstack

TABLE = {
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "BillingMode": "PAY_PER_REQUEST",
}


@pytest.fixture(scope="module")
def dynamodb(localstack):
    client = localstack.client("dynamodb")
    client.create_table(TableName="items", **TABLE)
    return client


def added(key, amount=1, **rest):
    return {
        "TableName": "items",
        "Key": {"id": {"S": key}},
        "UpdateExpression": "ADD amount :amount",
        "ExpressionAttributeValues": {":amount": {"N": str(amount)}},
        **rest,
    }


def amount_of(dynamodb, key):
    return int(dynamodb.get_item(TableName="items", Key={"id": {"S": key}})["Item"]["amount"]["N"])


def test_no_update_gets_lost(localstack, dynamodb):
    def add_fifty(_):
        client = localstack.client("dynamodb")
        for _ in range(50):
            client.update_item(**added("counter"))

    with ThreadPoolExecutor(max_workers=16) as threads:
        list(threads.map(add_fifty, range(16)))
    assert amount_of(dynamodb, "counter") == 800


def test_a_transaction_with_a_token_is_done_once(dynamodb):
    request = {"TransactItems": [{"Update": added("once")}], "ClientRequestToken": "token-1"}
    dynamodb.transact_write_items(**request)
    dynamodb.transact_write_items(**request)
    assert amount_of(dynamodb, "once") == 1
    with pytest.raises(ClientError, match="IdempotentParameterMismatch"):
        dynamodb.transact_write_items(**{**request, "TransactItems": [{"Update": added("once", 2)}]})


def test_a_transaction_that_failed_may_be_tried_again_with_its_token(dynamodb):
    dynamodb.put_item(TableName="items", Item={"id": {"S": "free"}, "amount": {"N": "0"}})
    request = {
        "TransactItems": [{"Update": added("late", ConditionExpression="attribute_exists(id)")}],
        "ClientRequestToken": "token-2",
    }
    with pytest.raises(ClientError, match="TransactionCanceled"):
        dynamodb.transact_write_items(**request)
    dynamodb.put_item(TableName="items", Item={"id": {"S": "late"}, "amount": {"N": "0"}})
    dynamodb.transact_write_items(**request)
    assert amount_of(dynamodb, "late") == 1


@pytest.mark.parametrize("ranged", [False, True])
def test_a_transaction_changes_all_or_nothing(dynamodb, ranged):
    table, key = made_table(dynamodb, ranged), key_of(ranged)
    for name in ("updated", "deleted", "replaced", "untouched"):
        dynamodb.put_item(TableName=table, Item={**key(name), "tags": {"L": [{"S": "before"}]}})
    before = all_of(dynamodb, table)
    appended = {
        "UpdateExpression": "SET tags = list_append(tags, :more), more_tags = :more",
        "ExpressionAttributeValues": {":more": {"L": [{"S": "after"}]}},
    }
    changes = [
        {"Update": {"TableName": table, "Key": key("updated"), **appended}},
        {"Delete": {"TableName": table, "Key": key("deleted")}},
        {"Put": {"TableName": table, "Item": {**key("replaced"), "new": {"BOOL": True}}}},
        {"Put": {"TableName": table, "Item": key("added")}},
    ]
    never = {"TableName": table, "Key": key("untouched"), "ConditionExpression": "attribute_not_exists(id)"}
    with pytest.raises(ClientError, match="TransactionCanceled"):
        dynamodb.transact_write_items(TransactItems=[*changes, {"ConditionCheck": never}])
    assert all_of(dynamodb, table) == before
    dynamodb.transact_write_items(TransactItems=changes)
    after = all_of(dynamodb, table)
    assert after.keys() == {"updated", "replaced", "untouched", "added"}
    assert after["updated"]["tags"] == {"L": [{"S": "before"}, {"S": "after"}]}
    assert after["replaced"] == {**key("replaced"), "new": {"BOOL": True}}
    assert after["untouched"] == before["untouched"]


def made_table(dynamodb, ranged):
    name = f"transactions-{ranged}"
    attributes, keys = [("id", "S")], [("id", "HASH")]
    if ranged:
        attributes, keys = [*attributes, ("part", "S")], [("part", "HASH"), ("id", "RANGE")]
    dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": kind} for each, kind in attributes],
        KeySchema=[{"AttributeName": each, "KeyType": kind} for each, kind in keys],
        BillingMode="PAY_PER_REQUEST",
    )
    return name


def key_of(ranged):
    return lambda name: {"id": {"S": name}, **({"part": {"S": "one"}} if ranged else {})}


def all_of(dynamodb, table):
    return {item["id"]["S"]: item for item in dynamodb.scan(TableName=table)["Items"]}


def test_a_failed_condition_shows_the_item(dynamodb):
    dynamodb.put_item(TableName="items", Item={"id": {"S": "shown"}, "amount": {"N": "7"}})
    with pytest.raises(ClientError) as failed:
        dynamodb.update_item(
            **added(
                "shown",
                ConditionExpression="attribute_not_exists(id)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        )
    assert failed.value.response["Item"]["amount"] == {"N": "7"}


def test_a_global_table_of_a_template_has_an_id_and_a_time_to_live(localstack, dynamodb):
    cloudformation = localstack.client("cloudformation")
    table = {
        "Type": "AWS::DynamoDB::GlobalTable",
        "Properties": {
            **TABLE,
            "Replicas": [{"Region": "us-east-1"}],
            "TimeToLiveSpecification": {"AttributeName": "expires", "Enabled": True},
        },
    }
    outputs = {"Name": {"Value": {"Ref": "Table"}}, "Id": {"Value": {"Fn::GetAtt": ["Table", "TableId"]}}}
    template = {"Resources": {"Table": table}, "Outputs": outputs}
    cloudformation.create_stack(StackName="table", TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(StackName="table", WaiterConfig={"Delay": 1})
    made = cloudformation.describe_stacks(StackName="table")["Stacks"][0]["Outputs"]
    values = {output["OutputKey"]: output["OutputValue"] for output in made}
    described = dynamodb.describe_table(TableName=values["Name"])["Table"]
    assert described["TableId"] == values["Id"]
    ttl = dynamodb.describe_time_to_live(TableName=values["Name"])["TimeToLiveDescription"]
    assert ttl == {"AttributeName": "expires", "TimeToLiveStatus": "ENABLED"}
