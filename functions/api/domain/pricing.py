"""Order pricing and the stock rule: requested lines and products make a basket or a refusal."""

from collections.abc import Mapping, Sequence

from functions.api.domain.model import Basket, Line, PricedLine, Product
from functions.api.domain.refusals import MixedCurrencies, OutOfStock, Refusal, UnknownProduct


def price(lines: Sequence[Line], products: Mapping[str, Product]) -> Basket | Refusal:
    """Price every line, or return why the order can't be taken.

    The first refusal in the order of the lines counts. An unknown product precedes the currency, and the currency the
    stock, so that a client first corrects what can never work.
    """
    for line in lines:
        if line.product_id not in products:
            return UnknownProduct(line.product_id)
    currencies = sorted({products[line.product_id].currency for line in lines})
    if len(currencies) != 1:
        return MixedCurrencies(tuple(currencies))
    if short := shortage(lines, products):
        return short
    priced = tuple(_priced(line, products[line.product_id]) for line in lines)
    return Basket(lines=priced, currency=currencies[0])


def shortage(lines: Sequence[Line], products: Mapping[str, Product]) -> OutOfStock | None:
    """Name the first line that asks for more pieces than its product has left."""
    for line in lines:
        left = products[line.product_id].stock
        if line.quantity > left:
            return OutOfStock(line.product_id, wanted=line.quantity, left=left)
    return None


def _priced(line: Line, product: Product) -> PricedLine:
    return PricedLine(product.id, product.name, line.quantity, product.price)
