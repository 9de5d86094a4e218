"""The shop's refusals as problem details."""

from functions.api.checkout import Contended, KeyTaken, Superseded
from functions.api.domain.refusals import MixedCurrencies, OutOfStock, Refusal, UnknownProduct
from functions.api.problems import retry_soon
from tidegate import ProblemError


def problem_of(refusal: Refusal | KeyTaken | Superseded | Contended) -> ProblemError:
    """Return the problem of an order that wasn't placed; further members may name the product."""
    match refusal:
        case UnknownProduct(product_id):
            detail = f"The shop has no product {product_id!r}."
            return ProblemError(422, "unknown-product", "No such product", detail, product_id=product_id)
        case MixedCurrencies(currencies):
            detail = f"These products are priced in {' and '.join(currencies)}; order them apart."
            title = "More than one currency"
            return ProblemError(422, "mixed-currencies", title, detail, currencies=list(currencies))
        case OutOfStock(product_id, wanted, left):
            detail = f"{wanted} pieces of {product_id!r} are wanted, {left} are left."
            return ProblemError(409, "out-of-stock", "Out of stock", detail, product_id=product_id, left=left)
        case KeyTaken():
            detail = "An order of another content was placed with this Idempotency-Key; use a new key."
            return ProblemError(422, "idempotency-key-reused", "Idempotency key reused", detail)
        case Superseded():
            detail = "Another attempt took this request over; repeat it with the same key to read its answer."
            return ProblemError(409, "claim-superseded", "Claim superseded", detail)
        case Contended():
            detail = "Other orders were at the same products all the time; nothing was ordered."
            return ProblemError(503, "contended", "Too much in demand", detail, headers=retry_soon())
