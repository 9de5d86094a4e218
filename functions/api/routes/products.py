"""GET /v1/products and /v1/products/{id}: the catalogue, page by page."""

import base64
import binascii
from typing import Annotated

from fastapi import APIRouter, Query

from functions.api.problems import problems
from functions.api.routes.shapes import Id, ProductList, ProductOut
from functions.api.shop import shop
from tidegate import Cache, ProblemError, TokenBucket, policy

router = APIRouter(prefix="/v1/products", tags=["products"])

# The catalogue is the same for all callers. A page may show the stock of a moment ago; one product's copy is voided
# when an order takes pieces of it.
PAGE = Cache("10s", stale="1m", stale_if_error="1h", query=("limit", "cursor"), shared=True, tags=("products",))
PRODUCT = Cache(
    "30s",
    stale="1m",
    stale_if_error="1h",
    query=(),
    shared=True,
    tags=("products", "product:{product_id}"),
    not_found="5s",
)


@router.get(
    "",
    operation_id="listProducts",
    summary="List products",
    responses=problems({422: "The limit or the cursor can't be used."}),
)
@policy(limits=[TokenBucket("50/s", burst=100)], priority="normal", cache=PAGE, replayable=True)
def list_products(
    limit: Annotated[int, Query(ge=1, le=100, description="Products per page.")] = 20,
    cursor: Annotated[str | None, Query(max_length=400, description="`next` of the page before.")] = None,
) -> ProductList:
    """Read a page; follow `next` until it is null. Products added meanwhile may or may not be met."""
    page = shop().products.page(limit, after=_after(cursor))
    following = None if page.next_after is None else _cursor(page.next_after)
    return ProductList(items=[ProductOut.of(product) for product in page.products], next=following)


@router.get(
    "/{product_id}",
    operation_id="getProduct",
    summary="Read a product",
    responses=problems({404: "There is no such product.", 422: "The id is too long."}),
)
@policy(limits=[TokenBucket("50/s", burst=100)], priority="normal", cache=PRODUCT, replayable=True)
def get_product(product_id: Id) -> ProductOut:
    """Read one product with the stock that was left a moment ago."""
    if product := shop().products.get(product_id):
        return ProductOut.of(product)
    raise ProblemError(404, "unknown-product", "No such product", f"The shop has no product {product_id!r}.")


def _cursor(product_id: str) -> str:
    return base64.urlsafe_b64encode(product_id.encode()).decode().rstrip("=")


def _after(cursor: str | None) -> str | None:
    if cursor is None:
        return None
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        product_id = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError):
        product_id = ""
    # Base64 has several forms of the same bytes; only the one that was given out is a cursor.
    if not product_id or _cursor(product_id) != cursor:
        hint = "Send `next` of the page before as it was given, or none."
        raise ProblemError(422, "unknown-cursor", "Unknown cursor", hint)
    return product_id
