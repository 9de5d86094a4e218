"""What `make demo` asks for: docs/project.md of Tidegate describes each member."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace

import httpx

from tidegate_local import cloud
from tidegate_local.scenarios.demo import Change, Clients
from tidegate_local.scenarios.traffic import Asking, Flow
from tidegate_local.state import LocalState

PRODUCT = "tea-assam"
SOURCE = "api/tables.py"
# A part of an answer is asked of the handler itself, past every copy.
PAST_THE_CACHE = {"Range": "bytes=0-"}
# Lines at the end of SOURCE, which make a version that is worse.
_FAILING = """
import random as _random

_place = place


def place(order_id, owner, product_id, quantity):
    if _random.random() < {share}:
        raise RuntimeError("a release that is bad on purpose")
    return _place(order_id, owner, product_id, quantity)
"""
_SLOW = """
import time as _time

_products = products


def products():
    _time.sleep({seconds})
    return _products()
"""


def _pages(tier: str, per_s: float, headers: Mapping[str, str] | None = None) -> Flow:
    return Flow(f"pages of {tier}", tier, per_s, lambda _: Asking("GET", "/v1/products", headers or {}), most=4)


def _said(answer: httpx.Response) -> str:
    return answer.text if answer.status_code == 201 else ""


class ShopClients:
    """Clients who read the catalogue and order; `name` is in the idempotency keys of this run."""

    def __init__(self, state: LocalState, name: str) -> None:
        self._state = state
        self._name = name
        self._stock = self._left()

    def outage(self, *, brief: bool) -> list[Flow]:
        """Read past the cache, and ask for each order twice."""
        return [_pages("pro", 4, PAST_THE_CACHE), self._orders("internal", 3 if brief else 4, twice=True)]

    def calm(self) -> list[Flow]:
        """Ask for a little of both."""
        return [self._orders("internal", 2), _pages("pro", 3), _pages("free", 2)]

    def burst(self) -> list[Flow]:
        """Ask ten times as much, most of it beyond the limits."""
        return [self._orders("internal", 2), _pages("pro", 18), _pages("free", 50)]

    def surge(self) -> list[Flow]:
        """Ask ten times as much that the limits let pass."""
        return [self._orders("internal", 2), _pages("pro", 45, PAST_THE_CACHE), _pages("free", 15)]

    def release(self, per_s: float) -> list[Flow]:
        """Order mostly, and nothing twice."""
        return [self._orders("internal", 0.8 * per_s), _pages("free", 0.2 * per_s)]

    def done(self) -> dict[str, int]:
        """Count the pieces that were taken out of stock: one for each order."""
        return {"pieces sold": self._stock - self._left()}

    def _orders(self, tier: str, per_s: float, *, twice: bool = False) -> Flow:
        def asking(turn: int) -> Asking:
            number = turn // 2 if twice else turn
            headers = {"Idempotency-Key": f'"{self._name}-{number}"'}
            return Asking("POST", "/v1/orders", headers, {"product_id": PRODUCT}, about=f"order {number}")

        made = Flow(f"orders of {tier}", tier, per_s, asking, _said, 4, "critical")
        return made if twice else replace(made, name=f"orders of {tier}, once each")

    def _left(self) -> int:
        with closing(cloud.client("dynamodb", self._state.endpoint_url)) as dynamodb:
            table, key = self._state.outputs["ProductsTable"], {"id": {"S": PRODUCT}}
            found = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]
        return int(found["stock"]["N"])


class Demo:
    """The project's part of the scenarios."""

    warming: Sequence[str] = ("/health/ready", "/v1/orders/none")
    source: str = SOURCE

    def check(self, state: LocalState) -> None:
        """See that the demo can be played: it always can."""

    @contextmanager
    def clients(self, state: LocalState) -> Iterator[Clients]:
        """Return clients whose orders nobody else has."""
        yield ShopClients(state, f"demo-{time.time_ns():x}")

    def reading(self, turn: int) -> Asking:
        """Read what no copy answers."""
        return Asking("GET", f"/v1/orders/none-{turn}")

    def failing(self, share: float) -> Change:
        """Make a version that fails this share of its orders."""
        return Change(SOURCE, _FAILING.format(share=share), f"fails {share:.0%} of its orders", "orders")

    def slow_reads(self, seconds: float) -> Change:
        """Make a version whose catalogue takes so long to read."""
        lines = _SLOW.format(seconds=seconds)
        return Change(SOURCE, lines, f"takes {seconds * 1000:.0f} ms to read products")


DEMO = Demo()
