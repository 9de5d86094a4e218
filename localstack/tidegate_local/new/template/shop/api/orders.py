"""POST /v1/orders and GET /v1/orders/{id}: an order is placed once for each idempotency key."""

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api import tables
from tidegate import Admitted, ProblemError, TokenBucket, policy

router = APIRouter(prefix="/v1/orders", tags=["orders"])


class OrderIn(BaseModel):
    """What is ordered."""

    product_id: Annotated[str, Field(max_length=64)]
    quantity: Annotated[int, Field(ge=1, le=100)] = 1


@router.post("", operation_id="placeOrder", status_code=201)
@policy(limits=[TokenBucket("20/s", burst=100)], idempotent=True, priority="critical")
def place_order(body: OrderIn, admitted: Admitted) -> dict[str, Any]:
    """Take the pieces out of stock and write the order; a repetition of the request gets the same answer."""
    if admitted.claim is None:
        raise RuntimeError("POST /v1/orders ran without an idempotency claim")
    # The same for every attempt of one request, so that none can place it twice.
    order_id = f"ord_{hashlib.sha256(admitted.claim.id.encode()).hexdigest()[:32]}"
    if not tables.place(order_id, admitted.principal, body.product_id, body.quantity):
        raise ProblemError(409, "out-of-stock", "Out of stock", f"There are too few of {body.product_id!r}.")
    return {"id": order_id, "product_id": body.product_id, "quantity": body.quantity}


@router.get("/{order_id}", operation_id="getOrder")
@policy(limits=[TokenBucket("50/s")])
def get_order(order_id: str, admitted: Admitted) -> dict[str, Any]:
    """Read one of the caller's own orders."""
    found = tables.order(order_id)
    if found and found.pop("owner") == admitted.principal:
        return found
    raise ProblemError(404, "unknown-order", "No such order", f"You have no order {order_id!r}.")
