"""POST /v1/orders and GET /v1/orders/{id}: the shop's one effect, guarded by an idempotency claim."""

from fastapi import APIRouter, Request, Response

from functions.api.checkout import Checkout, Placed, Wish, order_id_of
from functions.api.domain.model import Fence, Line
from functions.api.problems import problems
from functions.api.routes.admitted import Admitted
from functions.api.routes.refusals import problem_of
from functions.api.routes.shapes import Id, OrderIn, OrderOut
from functions.api.shop import shop
from tidegate import Admission, ProblemError, TokenBucket, policy
from tidegate.reference import reference

router = APIRouter(prefix="/v1/orders", tags=["orders"])


@router.post(
    "",
    operation_id="placeOrder",
    summary="Place an order",
    status_code=201,
    responses=problems(
        {
            409: "A product is out of stock, or the first request with this key still runs.",
            422: "An unknown product, more than one currency, another body under the same key, or a body "
            "of another shape.",
            503: "The products are too much in demand, or the store doesn't answer; try again.",
        }
    ),
)
@policy(
    limits=[TokenBucket("20/s", burst=100)],
    idempotent=True,
    priority="critical",
    on_outage="share",
)
def place_order(body: OrderIn, admitted: Admitted, request: Request, response: Response) -> OrderOut:
    """Take the pieces out of stock and write the order, both or neither, once per idempotency key."""
    outcome = Checkout(shop().products, shop().orders).place(_wish(body, admitted))
    if not isinstance(outcome, Placed):
        raise problem_of(outcome)
    admitted.invalidate_blocking(*(f"product:{item.product_id}" for item in body.items))
    response.headers["Location"] = reference(request.scope, f"/v1/orders/{outcome.order.id}")
    return OrderOut.of(outcome.order)


@router.get(
    "/{order_id}",
    operation_id="getOrder",
    summary="Read an order",
    responses=problems({404: "The caller has no such order.", 422: "The id is too long."}),
)
@policy(limits=[TokenBucket("50/s")], priority="normal")
def get_order(order_id: Id, admitted: Admitted) -> OrderOut:
    """Read one of the caller's own orders; anybody else's doesn't exist for them."""
    order = shop().orders.get(order_id)
    if order and order.owner == admitted.principal:
        return OrderOut.of(order)
    raise ProblemError(404, "unknown-order", "No such order", f"You have no order {order_id!r}.")


def _wish(body: OrderIn, admitted: Admission) -> Wish:
    claim = admitted.claim
    if claim is None:
        raise RuntimeError("POST /v1/orders ran without an idempotency claim: is the app protected?")
    return Wish(
        order_id=order_id_of(claim.id),
        owner=admitted.principal,
        lines=tuple(Line(item.product_id, item.quantity) for item in body.items),
        fence=Fence(claim.table, claim.pk, claim.attempt_id) if claim.table else None,
    )
