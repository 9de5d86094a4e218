"""The rows of an export: flat, one per order line or product, with the same columns in each format."""

from collections.abc import Iterable, Iterator

from functions.api.domain.model import Order, Product

Row = dict[str, str | int]

ORDER_COLUMNS = (
    "order_id",
    "created_at",
    "status",
    "product_id",
    "name",
    "quantity",
    "price",
    "amount",
    "currency",
)
PRODUCT_COLUMNS = ("id", "name", "price", "currency", "stock")


def order_rows(orders: Iterable[Order]) -> Iterator[Row]:
    """One row per line of every order; money in minor units."""
    for order in orders:
        for line in order.basket.lines:
            yield {
                "order_id": order.id,
                "created_at": order.created_at,
                "status": order.status,
                "product_id": line.product_id,
                "name": line.name,
                "quantity": line.quantity,
                "price": line.price,
                "amount": line.amount,
                "currency": order.basket.currency,
            }


def product_rows(products: Iterable[Product]) -> Iterator[Row]:
    """One row per product; money in minor units."""
    for product in products:
        yield {column: getattr(product, column) for column in PRODUCT_COLUMNS}
