"""One line of a bill: so many units at a price."""

from dataclasses import dataclass

from infra.costs.prices import Price

_MILLION = 1_000_000


@dataclass(frozen=True)
class Line:
    """So much of something at a list price; `quantity` is in the price's own unit, millions where it is per million."""

    what: str
    quantity: float
    price: Price

    @property
    def usd(self) -> float:
        """What it comes to."""
        return self.quantity * self.price.usd


def millions(what: str, count: float, price: Price) -> Line:
    """Make a line of a price that is per million."""
    return Line(what, count / _MILLION, price)


def total(lines: tuple[Line, ...]) -> float:
    """Add lines up, in US dollars."""
    return sum(line.usd for line in lines)
