"""The tables, by boto3; nothing else of the API knows DynamoDB."""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

import boto3


@cache
def _client() -> Any:
    return boto3.client("dynamodb")


def products() -> list[dict[str, Any]]:
    """Return all products, by their ids."""
    found = _client().scan(TableName=os.environ["PRODUCTS_TABLE"])["Items"]
    return sorted((_plain(item) for item in found), key=lambda product: str(product["id"]))


def product(product_id: str) -> dict[str, Any] | None:
    """Return a product; None: there is none."""
    return _item("PRODUCTS_TABLE", product_id)


def order(order_id: str) -> dict[str, Any] | None:
    """Return an order; None: there is none."""
    return _item("ORDERS_TABLE", order_id)


def place(order_id: str, owner: str, product_id: str, quantity: int) -> bool:
    """Take pieces out of stock and write the order, both or neither; False: there are too few.

    An order that is there already is left as it is: an attempt before this one has written it.
    """
    client = _client()
    taken = {
        "TableName": os.environ["PRODUCTS_TABLE"],
        "Key": {"id": {"S": product_id}},
        "UpdateExpression": "SET stock = stock - :quantity",
        "ConditionExpression": "stock >= :quantity",
        "ExpressionAttributeValues": {":quantity": {"N": str(quantity)}},
    }
    written = {
        "TableName": os.environ["ORDERS_TABLE"],
        "Item": {
            "id": {"S": order_id},
            "owner": {"S": owner},
            "product_id": {"S": product_id},
            "quantity": {"N": str(quantity)},
        },
        "ConditionExpression": "attribute_not_exists(id)",
    }
    try:
        client.transact_write_items(TransactItems=[{"Update": taken}, {"Put": written}])
    except client.exceptions.TransactionCanceledException:
        return order(order_id) is not None
    return True


def _item(table: str, key: str) -> dict[str, Any] | None:
    found = _client().get_item(TableName=os.environ[table], Key={"id": {"S": key}}, ConsistentRead=True).get("Item")
    return _plain(found) if found else None


def _plain(item: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    return {name: int(value["N"]) if "N" in value else value["S"] for name, value in item.items()}
