"""The shop's orders as code of schema 0 knows them: what still serves while a release to schema 1 is under way."""

from pynamodb.attributes import ListAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.models import Model

from functions.api.data.driver import Driver
from functions.api.data.models import ByOwner, LineMap, ProductRow
from functions.api.data.orders import OrderTable
from functions.api.domain.model import Basket, Order


class FormerOrderRow(Model):
    """As it was before migration 0001."""

    by_owner = ByOwner()
    id = UnicodeAttribute(hash_key=True)
    owner = UnicodeAttribute()
    status = UnicodeAttribute()
    lines = ListAttribute(of=LineMap, attr_name="items")
    total = NumberAttribute()
    currency = UnicodeAttribute()
    created_at = UnicodeAttribute()

    def to_order(self) -> Order:
        basket = Basket(tuple(line.to_line() for line in self.lines), self.currency)
        return Order(self.id, self.owner, self.status, basket, self.created_at)


class FormerOrderTable(OrderTable):
    """The orders table of before."""

    def __init__(self, driver: Driver, table: str, products_table: str) -> None:
        self._driver = driver
        self._row = driver.bind(FormerOrderRow, table)  # type: ignore[assignment]  # in the place of today's
        self._product = driver.bind(ProductRow, products_table)

    def _order_row(self, order: Order) -> Model:  # type: ignore[override]  # see above
        return self._row(
            id=order.id,
            owner=order.owner,
            status=order.status,
            lines=[LineMap.of(line) for line in order.basket.lines],
            total=order.basket.total,
            currency=order.basket.currency,
            created_at=order.created_at,
        )
