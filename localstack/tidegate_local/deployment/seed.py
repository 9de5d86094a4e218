"""The shop's first products."""

import json
from contextlib import closing
from importlib.resources import files

from botocore.exceptions import ClientError

from tidegate_local import cloud

CURRENCY = "EUR"


def seed_products(endpoint_url: str, table: str) -> int:
    """Put the products that aren't there yet and return how many; those that are keep their stock.

    Prices in products.json are in cents.
    """
    with closing(cloud.client("dynamodb", endpoint_url)) as dynamodb:
        return sum(_put_if_absent(dynamodb, table, product) for product in _products())


def _products() -> list[dict[str, str | int]]:
    catalogue: list[dict[str, str | int]] = json.loads(
        files("tidegate_local.deployment").joinpath("products.json").read_text(encoding="utf-8")
    )
    return catalogue


def _put_if_absent(dynamodb: cloud.Client, table: str, product: dict[str, str | int]) -> bool:
    item = {
        "id": {"S": str(product["id"])},
        "name": {"S": str(product["name"])},
        "price": {"N": str(product["price"])},
        "currency": {"S": CURRENCY},
        "stock": {"N": str(product["stock"])},
    }
    try:
        dynamodb.put_item(TableName=table, Item=item, ConditionExpression="attribute_not_exists(id)")
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return False
    return True
