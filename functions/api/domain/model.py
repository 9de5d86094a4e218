"""The shop's data: products, requested lines, and orders; money is an integer of minor units."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Product:
    """A thing for sale: `price` in minor units of `currency` (ISO 4217), `stock` in pieces."""

    id: str
    name: str
    price: int
    currency: str
    stock: int


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a request: so many pieces of one product."""

    product_id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class PricedLine:
    """A line at the price it was sold for: `price` per piece, in minor units of the order's currency."""

    product_id: str
    name: str
    quantity: int
    price: int

    @property
    def amount(self) -> int:
        """The line's total in minor units."""
        return self.price * self.quantity


@dataclass(frozen=True, slots=True)
class Basket:
    """Priced lines in the client's order, all in one currency."""

    lines: tuple[PricedLine, ...]
    currency: str

    @property
    def total(self) -> int:
        """The sum of the lines in minor units."""
        return sum(line.amount for line in self.lines)


@dataclass(frozen=True, slots=True)
class Order:
    """A placed order; `created_at` is ISO 8601 in UTC with milliseconds, so that text sorts by time."""

    id: str
    owner: str
    status: str
    basket: Basket
    created_at: str

    @property
    def asked(self) -> frozenset[Line]:
        """The requested lines, without prices and order."""
        return frozenset(Line(line.product_id, line.quantity) for line in self.basket.lines)


@dataclass(frozen=True, slots=True)
class Fence:
    """A condition of the order's write: the claim item in `table` still has this `attempt_id`."""

    table: str
    pk: str
    attempt_id: str
