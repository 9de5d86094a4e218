import pytest


def table(synthesized, name):
    (found,) = [
        resource
        for logical_id, resource in synthesized.resources("AWS::DynamoDB::Table").items()
        if logical_id.startswith(f"Tables{name}")
    ]
    return found


@pytest.mark.parametrize("name", ["Tidegate", "Products", "Orders"])
def test_tables_are_on_demand_and_restorable(synthesized, name):
    properties = table(synthesized, name)["Properties"]
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


@pytest.mark.parametrize("name", ["Tidegate", "Products", "Orders"])
def test_data_on_aws_outlives_the_stack(synthesized, name):
    found = table(synthesized, name)
    kept = synthesized.stage.name == "aws"
    assert found["DeletionPolicy"] == ("RetainExceptOnCreate" if kept else "Delete")
    assert found["Properties"].get("DeletionProtectionEnabled", False) is kept


def test_the_library_s_items_expire(synthesized):
    properties = table(synthesized, "Tidegate")["Properties"]
    assert properties["KeySchema"] == [{"AttributeName": "pk", "KeyType": "HASH"}]
    assert properties["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


def test_orders_are_found_by_their_owner(synthesized):
    properties = table(synthesized, "Orders")["Properties"]
    assert properties["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]
    (index,) = properties["GlobalSecondaryIndexes"]
    assert index["IndexName"] == "by_owner"
    assert index["KeySchema"] == [
        {"AttributeName": "owner", "KeyType": "HASH"},
        {"AttributeName": "created_at", "KeyType": "RANGE"},
    ]
    assert index["Projection"] == {"ProjectionType": "ALL"}


def test_products_are_found_by_their_id(synthesized):
    properties = table(synthesized, "Products")["Properties"]
    assert properties["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]
    assert "GlobalSecondaryIndexes" not in properties
