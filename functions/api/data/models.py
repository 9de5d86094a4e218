"""The tables' items as PynamoDB models; names of tables are bound at run time, see `driver`."""

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
        """The item as the domain knows it."""
        return Product(self.id, self.name, int(self.price), self.currency, int(self.stock))


class LineMap(MapAttribute[str, object]):
    """A line of an order, as it was sold."""

    product_id = UnicodeAttribute()
    name = UnicodeAttribute()
    quantity = NumberAttribute()
    price = NumberAttribute()

    @classmethod
    def of(cls, line: PricedLine) -> "LineMap":
        """The domain's line as a map of the item."""
        return cls(product_id=line.product_id, name=line.name, quantity=line.quantity, price=line.price)

    def to_line(self) -> PricedLine:
        """The map as the domain knows it."""
        return PricedLine(self.product_id, self.name, int(self.quantity), int(self.price))


class ByOwner(GlobalSecondaryIndex["OrderRow"]):  # type: ignore[no-untyped-call]  # its __init_subclass__
    """A principal's orders in the sequence of their making."""

    class Meta:
        """The index as the infrastructure makes it."""

        index_name = "by_owner"
        projection = AllProjection()

    owner = UnicodeAttribute(hash_key=True)
    created_at = UnicodeAttribute(range_key=True)


class OrderRow(Model):
    """An item of the orders table; the total is stored for those who read the table without this code.

    It is `total_minor`, and under its former name for those who know that one still: until 0001 is contracted.
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
        """The item as the domain knows it."""
        basket = Basket(tuple(line.to_line() for line in self.lines), self.currency)
        return Order(self.id, self.owner, self.status, basket, self.created_at)


class MigrationsRow(Model):
    """The part of the migrations' item that says which forms of the items are there."""

    pk = UnicodeAttribute(hash_key=True)
    schema_in_force = NumberAttribute(default=0)
    contracted = NumberAttribute(default=0)


class ClaimRow(Model):
    """The part of the library's idempotency claim that an order's transaction looks at."""

    pk = UnicodeAttribute(hash_key=True)
    attempt_id = UnicodeAttribute()
