"""Reads of the products table."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from functions.api.data.driver import Driver, driver_errors
from functions.api.data.errors import DataUnavailableError
from functions.api.data.models import ProductRow
from functions.api.domain.model import Product

BATCH_TRIES = 3


@dataclass(frozen=True, slots=True)
class ProductPage:
    """Some products, and the id after which the next page starts (None: this was the last)."""

    products: tuple[Product, ...]
    next_after: str | None


class ProductTable:
    """The shop's products; every method raises DataUnavailableError if DynamoDB doesn't answer."""

    def __init__(self, driver: Driver, table: str) -> None:
        self._connection = driver.connection
        self._table = table
        self._row = driver.bind(ProductRow, table)

    def get(self, product_id: str) -> Product | None:
        """Return one product, or None."""
        with driver_errors():
            try:
                return self._row.get(product_id).to_product()
            except self._row.DoesNotExist:
                return None

    def page(self, limit: int, after: str | None) -> ProductPage:
        """Return up to `limit` products in the table's own order, starting behind the id `after`."""
        start = {"id": {"S": after}} if after else None
        with driver_errors():
            # One more than shown, so that a full last page doesn't link to an empty one.
            rows = list(self._row.scan(limit=limit + 1, last_evaluated_key=start))
        products = tuple(row.to_product() for row in rows[:limit])
        return ProductPage(products, next_after=products[-1].id if len(rows) > limit else None)

    def every(self) -> Iterator[Product]:
        """Yield all products, read page by page as they are consumed."""
        with driver_errors():
            for row in self._row.scan():
                yield row.to_product()

    def many(self, product_ids: Iterable[str]) -> dict[str, Product]:
        """Return the products of up to 100 ids as they are now (consistent reads); unknown ids are left out.

        It calls BatchGetItem directly: the model's own loop repeats without end or pause while DynamoDB leaves keys
        unprocessed, that is, just when it throttles.
        """
        keys: list[dict[str, Any]] = [{"id": {"S": product_id}} for product_id in sorted(set(product_ids))]
        found: dict[str, Product] = {}
        with driver_errors():
            for _ in range(BATCH_TRIES):
                answer = self._connection.batch_get_item(
                    self._table,
                    keys=keys,  # type: ignore[arg-type]  # annotated as strings; takes and needs serialized keys
                    consistent_read=True,
                )
                rows = (self._row.from_raw_data(raw) for raw in answer["Responses"].get(self._table, ()))
                found.update((row.id, row.to_product()) for row in rows)
                if not (left := answer.get("UnprocessedKeys", {}).get(self._table)):
                    return found
                keys = left["Keys"]
        raise DataUnavailableError("DynamoDB: BatchGetItem left keys unprocessed")
