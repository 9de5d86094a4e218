"""Placing an order: price it, commit it, and start again if another order was faster.

An order's id is derived from its idempotency claim. So another run of the claim, after a crash or past its deadline,
finds the order of the first run and returns that one.
"""

import hashlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from functions.api.data.commit import Commit
from functions.api.domain.model import Basket, Fence, Line, Order
from functions.api.domain.pricing import price
from functions.api.domain.refusals import Refusal

if TYPE_CHECKING:
    from functions.api.data.orders import OrderTable
    from functions.api.data.products import ProductTable

TRIES = 5
FIRST_PAUSE_S = 0.02


@dataclass(frozen=True, slots=True)
class Wish:
    """A requested order: its owner, its lines, and the claim that guards it."""

    order_id: str
    owner: str
    lines: tuple[Line, ...]
    fence: Fence | None


@dataclass(frozen=True, slots=True)
class Placed:
    """The order exists, made now or by an earlier attempt."""

    order: Order


@dataclass(frozen=True, slots=True)
class KeyTaken:
    """The claim's order exists, and differs from the requested one."""


@dataclass(frozen=True, slots=True)
class Superseded:
    """Another attempt holds the claim by now; this one had no effect."""


@dataclass(frozen=True, slots=True)
class Contended:
    """Other orders changed the same products at every try; nothing was written."""


Outcome = Placed | KeyTaken | Superseded | Contended | Refusal


def order_id_of(claim_id: str) -> str:
    """Return the id of the one order that this claim can make; it reveals nothing about the claim."""
    return f"ord_{hashlib.sha256(claim_id.encode()).hexdigest()[:32]}"


def jittered(attempt: int) -> None:
    """Wait a random part of 20, 40, 80, 160 ms, so that attempts that collided don't collide again."""
    time.sleep(random.uniform(0, FIRST_PAUSE_S * 2**attempt))  # noqa: S311  # jitter, not a secret


@dataclass(frozen=True, slots=True)
class Checkout:
    """Places orders in the given tables."""

    products: "ProductTable"
    orders: "OrderTable"
    pause: Callable[[int], None] = jittered

    def place(self, wish: Wish) -> Outcome:
        """Make the order, or find it made already, or return why it can't be made.

        Raises:
            DataUnavailableError: DynamoDB doesn't answer; whether the order was written is then unknown, and a
                repetition finds out.
        """
        for attempt in range(TRIES):
            basket = price(wish.lines, self.products.many(line.product_id for line in wish.lines))
            if not isinstance(basket, Basket):
                # An earlier attempt's order may itself have changed the stock, so look for that first.
                return self._already(wish) or basket
            order = Order(wish.order_id, wish.owner, "placed", basket, _now())
            match self.orders.commit(order, wish.fence):
                case Commit.WRITTEN:
                    return Placed(order)
                case Commit.CLAIM_LOST:
                    return Superseded()
                case Commit.ALREADY_THERE if existing := self._already(wish):
                    return existing
                case _:
                    self.pause(attempt)
        return self._already(wish) or Contended()

    def _already(self, wish: Wish) -> Placed | KeyTaken | None:
        if (order := self.orders.get(wish.order_id)) is None:
            return None
        return Placed(order) if order.asked == frozenset(wish.lines) else KeyTaken()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
