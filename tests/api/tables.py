"""The shop's tables on the engine: made for one test, filled and looked at without the code under test."""

import contextlib
from dataclasses import dataclass, replace
from typing import Any

from functions.api.data.driver import Driver
from functions.api.data.orders import OrderTable
from functions.api.data.products import ProductTable
from functions.api.data.settings import ShopSettings
from functions.api.domain.model import Product
from tests.harness.dynamodb import DynamoServer
from tests.harness.queues import Queues


@dataclass(frozen=True)
class ShopTables:
    """Names of a test's own tables, and what tests do with them behind the shop's back."""

    server: DynamoServer
    library: str
    products: str
    orders: str
    queues: Queues

    @classmethod
    def create(cls, server: DynamoServer) -> "ShopTables":
        products = server.create_table("products", partition_key="id")
        orders = _create_orders(server, f"orders-{products}")
        return cls(server, server.create_library_table(), products, orders, Queues.create(server.endpoint_url))

    @property
    def environ(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.server.endpoint_url,
            "TIDEGATE_QUEUE_URL": self.queues.requests,
            "TIDEGATE_PRODUCTS_TABLE": self.products,
            "TIDEGATE_ORDERS_TABLE": self.orders,
        }

    @property
    def settings(self) -> ShopSettings:
        return ShopSettings(self.products, self.orders, "us-east-1", self.server.endpoint_url)

    def opened(self, endpoint_url: str | None) -> tuple[ProductTable, OrderTable]:
        """The tables as the shop opens them, by another way than straight."""
        driver = Driver(replace(self.settings, endpoint_url=endpoint_url))
        return ProductTable(driver, self.products), OrderTable(driver, self.orders, self.products)

    def stock_up(self, *products: Product) -> None:
        for product in products:
            item = {
                "id": {"S": product.id},
                "name": {"S": product.name},
                "price": {"N": str(product.price)},
                "currency": {"S": product.currency},
                "stock": {"N": str(product.stock)},
            }
            self._call("put_item", TableName=self.products, Item=item)

    def set_price(self, product_id: str, price: int) -> None:
        self._call(
            "update_item",
            TableName=self.products,
            Key={"id": {"S": product_id}},
            UpdateExpression="SET price = :p",
            ExpressionAttributeValues={":p": {"N": str(price)}},
        )

    def drop_product(self, product_id: str) -> None:
        self._call("delete_item", TableName=self.products, Key={"id": {"S": product_id}})

    def put_claim(self, pk: str, attempt_id: str) -> None:
        item = {"pk": {"S": pk}, "attempt_id": {"S": attempt_id}}
        self._call("put_item", TableName=self.library, Item=item)

    def forget_claim(self, pk: str) -> None:
        self._call("delete_item", TableName=self.library, Key={"pk": {"S": pk}})

    def stock(self, product_id: str) -> int:
        answer = self._call("get_item", TableName=self.products, Key={"id": {"S": product_id}}, ConsistentRead=True)
        return int(answer["Item"]["stock"]["N"])

    def order_items(self) -> list[dict[str, Any]]:
        return self.server.items(self.orders)

    def _call(self, operation: str, **arguments: Any) -> Any:
        with contextlib.closing(self.server.client()) as client:
            return getattr(client, operation)(**arguments)


def _create_orders(server: DynamoServer, name: str) -> str:
    """With the index, as the infrastructure makes it."""
    keys = {"owner": "HASH", "created_at": "RANGE"}
    with contextlib.closing(server.client()) as client:
        client.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("id", *keys)],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "by_owner",
                    "KeySchema": [{"AttributeName": n, "KeyType": kind} for n, kind in keys.items()],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
        )
    return name
