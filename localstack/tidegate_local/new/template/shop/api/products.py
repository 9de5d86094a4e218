"""GET /v1/products and /v1/products/{id}: the catalogue, from a copy that all callers share."""

from typing import Any

from fastapi import APIRouter

from api import tables
from tidegate import Cache, ProblemError, TokenBucket, policy

router = APIRouter(prefix="/v1/products", tags=["products"])
CATALOGUE = Cache("10s", stale="1m", stale_if_error="1h", query=(), shared=True, tags=("products",))


@router.get("", operation_id="listProducts")
@policy(limits=[TokenBucket("50/s", burst=100)], cache=CATALOGUE, replayable=True)
def list_products() -> list[dict[str, Any]]:
    """Read all products, with the stock of a moment ago."""
    return tables.products()


@router.get("/{product_id}", operation_id="getProduct")
@policy(limits=[TokenBucket("50/s", burst=100)], replayable=True)
def get_product(product_id: str) -> dict[str, Any]:
    """Read one product as it is now."""
    if found := tables.product(product_id):
        return found
    raise ProblemError(404, "unknown-product", "No such product", f"There is no product {product_id!r}.")
