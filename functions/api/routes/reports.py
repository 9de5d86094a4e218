"""GET /v1/reports/sales: the slow route; it reads every order there is, a few at a time."""

from fastapi import APIRouter

from functions.api.domain.sales import report
from functions.api.routes.shapes import SalesOut
from functions.api.shop import shop
from tidegate import TokenBucket, policy

router = APIRouter(prefix="/v1/reports", tags=["reports"])


@router.get("/sales", operation_id="reportSales", summary="Sum all sales")
@policy(limits=[TokenBucket("1/s", burst=5)], priority="sheddable")
def report_sales() -> SalesOut:
    """Sum every order by product and currency. Takes longer with every order: the first to be shed."""
    return SalesOut.of(report(shop().orders.every()))
