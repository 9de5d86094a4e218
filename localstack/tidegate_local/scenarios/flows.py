"""What clients of the shop ask for: pages, products, orders with retries, the sales report, exports, health."""

import json
import time
from collections.abc import Mapping

import httpx

from tidegate_local.scenarios.traffic import Asking, Flow

# Enough of them are in stock, and orders that come at once don't wait for each other's product.
ORDERED = ("tea-assam", "tea-earl-grey", "tea-rooibos", "tea-peppermint")
# A retry comes so many keys after its first attempt: in another state of the stores.
_RETRIED_AFTER = 4
# The handler is asked for a part of its answer itself, past every copy.
PAST_THE_CACHE = {"Range": "bytes=0-"}
SHEDDABLE = {"Tidegate-Criticality": "sheddable"}


def pages(tier: str, per_s: float, headers: Mapping[str, str] | None = None, most: int = 6) -> Flow:
    """Pages of the catalogue, a few different ones; `headers` say how they are asked for."""

    def asking(turn: int) -> Asking:
        return Asking("GET", f"/v1/products?limit={3 + turn % 5}", headers or {})

    return Flow(f"pages of {tier}", tier, per_s, asking, most=most)


def orders(tier: str, per_s: float, run: str, most: int = 6) -> Flow:
    """Orders, each under a key of its own and asked for twice: every other turn repeats an earlier key."""

    def asking(turn: int) -> Asking:
        retried = turn % 2 == 1 and turn // 2 >= _RETRIED_AFTER
        return order(run, turn - 2 * _RETRIED_AFTER - 1 if retried else turn)

    return Flow(f"orders of {tier}", tier, per_s, asking, _order_id, most)


def order(run: str, number: int) -> Asking:
    """The order of a number, always the same."""
    key = f"{run}-{number}"
    body = {"items": [{"product_id": ORDERED[number % len(ORDERED)], "quantity": 1}]}
    return Asking("POST", "/v1/orders", {"Idempotency-Key": f'"{key}"'}, body, about=key)


def reports(tier: str, per_s: float, most: int = 6) -> Flow:
    """The sales report: the slow route, whose limit is the tightest."""
    return Flow(f"reports of {tier}", tier, per_s, lambda _: Asking("GET", "/v1/reports/sales"), most=most)


def exports(tier: str, per_s: float, run: str, most: int = 6) -> Flow:
    """Exports of the products: what is beyond their limit waits in the queue."""

    def asking(turn: int) -> Asking:
        body = {"kind": "products", "format": "json"}
        return Asking("POST", "/v1/exports", {"Idempotency-Key": f'"{run}-export-{turn}"'}, body)

    return Flow(f"exports of {tier}", tier, per_s, asking, lambda answer: answer.headers.get("location", ""), most)


def health(per_s: float) -> Flow:
    """Whatever environment answers says which store decides for it, and which release it is."""
    return Flow("health", None, per_s, lambda _: Asking("GET", "/health"), _deciding_and_version, most=3)


def new_run() -> str:
    """Return a name that no other run's keys begin with."""
    return f"scenario-{time.time_ns():x}"


def _order_id(answer: httpx.Response) -> str:
    return str(_member(answer, "id")) if answer.status_code == 201 else ""


def _deciding_and_version(answer: httpx.Response) -> str:
    return f"{_member(answer, 'deciding')} {_member(answer, 'version')}" if answer.status_code == 200 else ""


def _member(answer: httpx.Response, name: str) -> object:
    try:
        return answer.json().get(name, "")
    except (json.JSONDecodeError, AttributeError):
        return ""
