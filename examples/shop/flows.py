"""What clients of the shop ask for: pages, products, orders with retries, the sales report, exports."""

import json
import time
import zlib
from collections.abc import Mapping
from dataclasses import replace

import httpx

from examples.shop.goods import Goods
from tidegate_local.scenarios.traffic import Asking, Flow, RateLimit

# A retry comes so many keys after its first attempt: in another state of the stores.
_RETRIED_AFTER = 4
# The handler is asked for a part of its answer itself, past every copy.
PAST_THE_CACHE = {"Range": "bytes=0-"}
_SHEDDABLE = {"Tidegate-Criticality": "sheddable"}
# Of GET /v1/reports/sales, for each key: functions/api/routes/reports.py.
_REPORTS = RateLimit(per_s=1, burst=5)


def pages(tier: str, per_s: float, headers: Mapping[str, str] | None = None, most: int = 6) -> Flow:
    """Pages of the catalogue, a few different ones; `headers` say how they are asked for."""

    def asking(turn: int) -> Asking:
        return Asking("GET", f"/v1/products?limit={3 + turn % 5}", headers or {})

    return Flow(f"pages of {tier}", tier, per_s, asking, most=most)


def sheddable_pages(tier: str, per_s: float, most: int = 6) -> Flow:
    """Pages that their clients can do without."""
    return replace(pages(tier, per_s, _SHEDDABLE, most), criticality="sheddable")


def orders(tier: str, per_s: float, goods: Goods, *, retried: bool = True, most: int = 6) -> Flow:
    """Orders, each under a key of its own; `retried`: every other turn asks again for an earlier one."""

    def asking(turn: int) -> Asking:
        again = retried and turn % 2 == 1 and turn // 2 >= _RETRIED_AFTER
        return order(goods, tier, turn - 2 * _RETRIED_AFTER - 1 if again else turn)

    return Flow(f"orders of {tier}", tier, per_s, asking, order_said, most, "critical")


def order(goods: Goods, tier: str, number: int) -> Asking:
    """The order of a number, always the same."""
    key = f"{goods.name}-{tier}-{number}"
    body = {"items": [{"product_id": goods.products[number % len(goods.products)], "quantity": 1}]}
    return Asking("POST", "/v1/orders", {"Idempotency-Key": f'"{key}"'}, body, about=f"{tier} {number}")


def order_said(answer: httpx.Response) -> str:
    """Tell one order's answer from another's: its id, and a checksum of all its bytes."""
    return f"{_member(answer, 'id')} {zlib.crc32(answer.content):08x}" if answer.status_code == 201 else ""


def reports(tier: str, per_s: float, most: int = 6) -> Flow:
    """The sales report: the slow route, whose limit is the tightest."""
    name, asking = f"reports of {tier}", Asking("GET", "/v1/reports/sales")
    return Flow(name, tier, per_s, lambda _: asking, most=most, criticality="sheddable", limit=_REPORTS)


def exports(tier: str, per_s: float, goods: Goods, most: int = 6) -> Flow:
    """Exports of the products: what is beyond their limit waits in the queue."""

    def asking(_: int) -> Asking:
        body = {"kind": "products", "format": "json"}
        return Asking("POST", "/v1/exports", {"Idempotency-Key": f'"{goods.name}-export-{time.time_ns()}"'}, body)

    return Flow(f"exports of {tier}", tier, per_s, asking, _led, most, "sheddable")


def _led(answer: httpx.Response) -> str:
    """Return where an answer leads, if it leads anywhere."""
    location = answer.headers.get("location")
    return str(answer.url.join(location)) if location else ""


def _member(answer: httpx.Response, name: str) -> object:
    try:
        return answer.json().get(name, "")
    except (json.JSONDecodeError, AttributeError):
        return ""
