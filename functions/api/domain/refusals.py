"""The reasons why an order isn't taken. Refusals are values that routes turn into responses, not exceptions."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UnknownProduct:
    """The shop has no product of this id."""

    product_id: str


@dataclass(frozen=True, slots=True)
class MixedCurrencies:
    """The products are priced in more than one currency; `currencies` are sorted."""

    currencies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OutOfStock:
    """Fewer pieces are left than were asked for."""

    product_id: str
    wanted: int
    left: int


Refusal = UnknownProduct | MixedCurrencies | OutOfStock
