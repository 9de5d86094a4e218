"""The tables' items as PynamoDB models; the tables' names are bound at run time (see `driver`)."""

from pynamodb.attributes import ListAttribute, MapAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex
from pynamodb.models import Model

from functions.api.domain.model import Basket, Order, PricedLine, Product


class ProductRow(Model):
    """An item of the products table."""

    id = UnicodeAttribute(hash_key=True)
    name = UnicodeAttribute()
    price = NumberAttribute()
    currency = UnicodeAttribute()
    stock = NumberAttribute()

    def to_product(self) -> Product:
        """Return the domain's product."""
        return Product(self.id, self.name, int(self.price), self.currency, int(self.stock))


class LineMap(MapAttribute[str, object]):
    """A line of an order, as it was sold."""

    product_id = UnicodeAttribute()
    name = UnicodeAttribute()
    quantity = NumberAttribute()
    price = NumberAttribute()

    @classmethod
    def of(cls, line: PricedLine) -> "LineMap":
        """Return the domain's line as a map of the item."""
        return cls(product_id=line.product_id, name=line.name, quantity=line.quantity, price=line.price)

    def to_line(self) -> PricedLine:
        """Return the domain's line."""
        return PricedLine(self.product_id, self.name, int(self.quantity), int(self.price))


class ByOwner(GlobalSecondaryIndex["OrderRow"]):  # type: ignore[no-untyped-call]  # its __init_subclass__
    """A principal's orders by the time of their creation."""

    class Meta:
        """The index as the infrastructure defines it."""

        index_name = "by_owner"
        projection = AllProjection()

    owner = UnicodeAttribute(hash_key=True)
    created_at = UnicodeAttribute(range_key=True)


class OrderRow(Model):
    """An item of the orders table; the total is stored for readers of the table without this code.

    It is `total_minor`, and also stored under its former name until migration 0001 is contracted.
    """

    by_owner = ByOwner()
    id = UnicodeAttribute(hash_key=True)
    owner = UnicodeAttribute()
    status = UnicodeAttribute()
    lines = ListAttribute(of=LineMap, attr_name="items")
    total = NumberAttribute(null=True)
    total_minor = NumberAttribute(null=True)
    currency = UnicodeAttribute()
    created_at = UnicodeAttribute()

    def to_order(self) -> Order:
        """Return the domain's order."""
        basket = Basket(tuple(line.to_line() for line in self.lines), self.currency)
        return Order(self.id, self.owner, self.status, basket, self.created_at)


class MigrationsRow(Model):
    """The part of the migrations' item that holds the schema in force."""

    pk = UnicodeAttribute(hash_key=True)
    schema_in_force = NumberAttribute(default=0)
    contracted = NumberAttribute(default=0)


class ClaimRow(Model):
    """The part of the library's idempotency claim that an order's transaction checks."""

    pk = UnicodeAttribute(hash_key=True)
    attempt_id = UnicodeAttribute()
