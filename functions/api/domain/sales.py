"""The sales report: the sales of each product, summed per currency."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from functions.api.domain.model import Order


@dataclass(frozen=True, slots=True)
class Sale:
    """One product's sales in one currency: `quantity` in pieces, `revenue` in minor units."""

    product_id: str
    currency: str
    quantity: int
    revenue: int


@dataclass(frozen=True, slots=True)
class SalesReport:
    """How many orders were read, and their sales sorted by product and currency."""

    orders: int
    sales: tuple[Sale, ...]


def report(orders: Iterable[Order]) -> SalesReport:
    """Sum the orders, which may come one by one from a scan: only the totals are held."""
    count = 0
    quantity: dict[tuple[str, str], int] = defaultdict(int)
    revenue: dict[tuple[str, str], int] = defaultdict(int)
    for order in orders:
        count += 1
        for line in order.basket.lines:
            key = (line.product_id, order.basket.currency)
            quantity[key] += line.quantity
            revenue[key] += line.amount
    sales = tuple(Sale(*key, quantity[key], revenue[key]) for key in sorted(quantity))
    return SalesReport(orders=count, sales=sales)
