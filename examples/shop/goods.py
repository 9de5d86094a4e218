"""A scenario's own products: how many of them were sold, and in how many orders, is asked of the tables themselves."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from tidegate_local import cloud
from tidegate_local.errors import ScenarioError
from tidegate_local.state import LocalState

_IN_STOCK = 1_000_000
# Orders that come at once don't wait for each other's product.
_DIFFERENT = 4
_BATCH = 25
# The sales report reads every order there is, ten at a time: with more of them it isn't the limits that are measured.
_MOST_ORDERS = 500


@dataclass(frozen=True)
class Goods:
    """Products that nobody else orders; `name` begins their ids and all of the scenario's idempotency keys."""

    name: str
    products: tuple[str, ...]
    state: LocalState

    @classmethod
    @contextmanager
    def stocked(cls, state: LocalState) -> Iterator["Goods"]:
        """Put products on sale during the block; they and their orders are taken away after it."""
        name = f"scenario-{time.time_ns():x}"
        goods = cls(name, tuple(f"{name}-{number}" for number in range(_DIFFERENT)), state)
        with closing(cloud.client("dynamodb", state.endpoint_url)) as dynamodb:
            goods._stock(dynamodb)
            try:
                yield goods
            finally:
                goods._clear(dynamodb)

    def sold(self) -> int:
        """Count the pieces that were taken out of stock."""
        table = self.state.outputs["ProductsTable"]
        with closing(cloud.client("dynamodb", self.state.endpoint_url)) as dynamodb:
            keys = [{"id": {"S": product}} for product in self.products]
            items = [dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"] for key in keys]
        return sum(_IN_STOCK - int(item["stock"]["N"]) for item in items)

    def orders(self) -> list[str]:
        """Return the ids of all orders of these products."""
        with closing(cloud.client("dynamodb", self.state.endpoint_url)) as dynamodb:
            return self._orders(dynamodb)

    def _stock(self, dynamodb: cloud.Client) -> None:
        for product in self.products:
            item = {
                "id": {"S": product},
                "name": {"S": "Tea of a scenario"},
                "price": {"N": "890"},
                "currency": {"S": "EUR"},
                "stock": {"N": str(_IN_STOCK)},
            }
            dynamodb.put_item(TableName=self.state.outputs["ProductsTable"], Item=item)

    def _orders(self, dynamodb: cloud.Client) -> list[str]:
        pages = dynamodb.get_paginator("scan").paginate(TableName=self.state.outputs["OrdersTable"])
        return [item["id"]["S"] for page in pages for item in page["Items"] if self._ours(item)]

    def _ours(self, item: dict[str, Any]) -> bool:
        lines = item.get("items", {}).get("L", [])
        return any(line["M"]["product_id"]["S"] in self.products for line in lines)

    def _clear(self, dynamodb: cloud.Client) -> None:
        # Orders first: whoever finds a product gone has none left that names it. And the sales report reads them all.
        _delete(dynamodb, self.state.outputs["OrdersTable"], self._orders(dynamodb))
        _delete(dynamodb, self.state.outputs["ProductsTable"], self.products)


def check_orders(state: LocalState) -> None:
    """Make sure that the sales report can be asked for.

    Raises:
        ScenarioError: there are too many orders.
    """
    with closing(cloud.client("dynamodb", state.endpoint_url)) as dynamodb:
        pages = dynamodb.get_paginator("scan").paginate(TableName=state.outputs["OrdersTable"], Select="COUNT")
        found = sum(page["Count"] for page in pages)
    if found > _MOST_ORDERS:
        raise ScenarioError(
            f"The shop has {found:,} orders, and its sales report, which the scenario asks for, reads them all. "
            "Begin with an empty cloud: `make down && make up`."
        )


def _delete(dynamodb: cloud.Client, table: str, ids: Sequence[str]) -> None:
    for first in range(0, len(ids), _BATCH):
        requests = [{"DeleteRequest": {"Key": {"id": {"S": one}}}} for one in ids[first : first + _BATCH]]
        while requests:
            left = dynamodb.batch_write_item(RequestItems={table: requests}).get("UnprocessedItems") or {}
            requests = left.get(table, [])
