"""The shop's demo: who asks for what in each scenario, and which versions are bad on purpose."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from examples.shop import flows
from examples.shop.changes import CHECKOUT, FAILING_ORDERS, PRODUCTS, SLOW_PAGES
from examples.shop.goods import Goods, check_orders
from tidegate_local.scenarios.demo import Change, Clients, Demo
from tidegate_local.scenarios.traffic import Asking, Flow
from tidegate_local.state import LocalState

# What is dearest goes on as ever: a storm is what the others do.
_CRITICAL_PER_S = 2.0


class ShopClients:
    """Clients who order goods that nobody else does."""

    def __init__(self, goods: Goods) -> None:
        self._goods = goods

    def outage(self, *, brief: bool) -> list[Flow]:
        """Read, order (each key twice), and ask for reports more often than one may."""
        if brief:
            return [
                flows.pages("internal", 4, flows.PAST_THE_CACHE, most=2),
                flows.orders("internal", 3, self._goods, most=2),
                flows.reports("pro", 4, most=2),
            ]
        return [
            flows.pages("pro", 5, flows.PAST_THE_CACHE, most=3),
            flows.pages("internal", 5, most=2),
            flows.orders("internal", 4, self._goods, most=3),
            *(flows.reports(tier, 1.6, most=2) for tier in ("free", "pro", "internal")),
        ]

    def calm(self) -> list[Flow]:
        """Ask 8 times a second: the critical orders, and the three tiers' other wishes."""
        return [
            self._critical(),
            flows.pages("internal", 1, most=2),
            flows.pages("pro", 2, most=2),
            flows.sheddable_pages("free", 2, most=2),
            flows.reports("pro", 0.5, most=1),
            flows.exports("pro", 0.5, self._goods, most=1),
        ]

    def burst(self) -> list[Flow]:
        """Ask ten times as much by the same keys, most of it at the edge, at the limits and at the queue."""
        return [
            self._critical(),
            flows.pages("internal", 2, most=2),
            flows.pages("pro", 18, most=3),
            flows.sheddable_pages("free", 52, most=3),
            flows.reports("pro", 4, most=2),
            flows.exports("pro", 2, self._goods, most=2),
        ]

    def surge(self) -> list[Flow]:
        """Ask ten times as much that passes the edge and the limits."""
        return [
            self._critical(),
            flows.pages("internal", 2, most=2),
            flows.pages("pro", 45, flows.PAST_THE_CACHE, most=5),
            flows.sheddable_pages("free", 30, most=3),
            flows.reports("pro", 0.5, most=1),
            flows.exports("pro", 0.5, self._goods, most=1),
        ]

    def release(self, per_s: float) -> list[Flow]:
        """Order four times of five, once each: a failure hurts one request, and a retry would get it replayed."""
        return [
            flows.orders("internal", 0.4 * per_s, self._goods, retried=False, most=4),
            flows.orders("pro", 0.4 * per_s, self._goods, retried=False, most=4),
            flows.pages("free", 0.2 * per_s, most=2),
        ]

    def done(self) -> dict[str, int]:
        """Count the orders, and the pieces that were taken out of stock: one for each order."""
        return {"orders": len(self._goods.orders()), "pieces sold": self._goods.sold()}

    def _critical(self) -> Flow:
        return flows.orders("internal", _CRITICAL_PER_S, self._goods, most=3)


class ShopDemo:
    """The shop's part of the scenarios."""

    # The second one loads what talks to the tables, which an environment does only when it is first asked.
    warming: Sequence[str] = ("/health/ready", "/v1/orders/none")
    source: str = CHECKOUT

    def check(self, state: LocalState) -> None:
        """See that the sales report can be asked for.

        Raises:
            ScenarioError: there are too many orders.
        """
        check_orders(state)

    @contextmanager
    def clients(self, state: LocalState) -> Iterator[Clients]:
        """Put goods on sale for the block."""
        with Goods.stocked(state) as goods:
            yield ShopClients(goods)

    def reading(self, turn: int) -> Asking:
        """Read a page of the catalogue past the cache."""
        return Asking("GET", f"/v1/products?limit={1 + turn % 9}", flows.PAST_THE_CACHE)

    def failing(self, share: float) -> Change:
        """Make a version that fails this share of its orders."""
        return Change(CHECKOUT, FAILING_ORDERS.format(share=share), f"fails {share:.0%} of its orders", "orders")

    def slow_reads(self, seconds: float) -> Change:
        """Make a version whose products take so long to read."""
        return Change(PRODUCTS, SLOW_PAGES.format(seconds=seconds), f"takes {seconds * 1000:.0f} ms to read products")


DEMO: Demo = ShopDemo()
