"""The way of an order against a real transaction: once, all or nothing, and never by a zombie."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from functions.api.checkout import (
    TRIES,
    Checkout,
    Contended,
    KeyTaken,
    Placed,
    Superseded,
    Wish,
    order_id_of,
)
from functions.api.data.commit import Commit, refusal_of
from functions.api.domain.model import Fence, Line
from functions.api.domain.refusals import OutOfStock, UnknownProduct
from tests.api.conftest import order
from tests.harness.http_faults import AwsError, HttpFaults

CONFLICT = AwsError(400, "TransactionConflictException", "Transaction is ongoing for the item")
FAILED = "ConditionalCheckFailed"


def wish(*lines: tuple[str, int], order_id="ord_1", fence=None):
    return Wish(order_id, "key:ann", tuple(Line(*line) for line in lines), fence)


def test_an_order_takes_every_product_out_of_stock(checkout, tables):
    outcome = checkout.place(wish(("lamp", 2), ("mug", 1)))

    assert isinstance(outcome, Placed)
    assert outcome.order.basket.total == 2 * 2500 + 900
    assert (tables.stock("lamp"), tables.stock("mug")) == (8, 4)
    assert [item["id"]["S"] for item in tables.order_items()] == ["ord_1"]


def test_a_rerun_finds_the_first_runs_order(checkout, tables):
    first = checkout.place(wish(("lamp", 2)))
    again = checkout.place(wish(("lamp", 2)))

    assert again == first
    assert tables.stock("lamp") == 8


@pytest.mark.parametrize("then", ["sold out", "dearer", "gone"])
def test_a_rerun_finds_it_even_if_it_couldnt_be_placed_now(then, checkout, tables):
    first = checkout.place(wish(("mug", 5)))
    match then:
        case "dearer":
            tables.set_price("mug", 1)
        case "gone":
            tables.drop_product("mug")

    assert checkout.place(wish(("mug", 5))) == first


def test_a_key_that_made_another_order_is_taken(checkout, tables):
    checkout.place(wish(("lamp", 2)))

    assert checkout.place(wish(("lamp", 3))) == KeyTaken()
    assert tables.stock("lamp") == 8


def test_out_of_stock_leaves_everything_as_it_was(checkout, orders, tables):
    assert checkout.place(wish(("lamp", 2), ("mug", 6))) == OutOfStock("mug", wanted=6, left=5)
    assert (tables.stock("lamp"), tables.stock("mug")) == (10, 5)
    assert tables.order_items() == []


def test_out_of_stock_in_the_transaction_leaves_everything_as_it_was(checkout, orders, tables, monkeypatch):
    """Somebody buys between our reading and our writing."""
    buyer = Checkout(checkout.products, orders)
    inner = checkout.products.many

    def many_and_then_somebody_buys(ids):
        found = inner(ids)
        monkeypatch.setattr(checkout.products, "many", inner)
        buyer.place(wish(("mug", 4), order_id="ord_other"))
        return found

    monkeypatch.setattr(checkout.products, "many", many_and_then_somebody_buys)

    assert checkout.place(wish(("lamp", 1), ("mug", 2))) == OutOfStock("mug", wanted=2, left=1)
    assert (tables.stock("lamp"), tables.stock("mug")) == (10, 1)
    assert [item["id"]["S"] for item in tables.order_items()] == ["ord_other"]


def test_a_price_that_changes_meanwhile_is_the_one_that_is_charged(checkout, tables, monkeypatch):
    inner = checkout.products.many

    def many_and_then_the_price_rises(ids):
        found = inner(ids)
        monkeypatch.setattr(checkout.products, "many", inner)
        tables.set_price("lamp", 2600)
        return found

    monkeypatch.setattr(checkout.products, "many", many_and_then_the_price_rises)

    outcome = checkout.place(wish(("lamp", 2)))

    assert outcome.order.basket.total == 5200
    assert tables.stock("lamp") == 8


def test_unknown_products_are_named(checkout):
    assert checkout.place(wish(("lamp", 1), ("unicorn", 1))) == UnknownProduct("unicorn")


def test_the_claims_holder_may_write(checkout, tables):
    tables.put_claim("claim#1", "mine")

    assert isinstance(checkout.place(wish(("lamp", 1), fence=Fence(tables.library, "claim#1", "mine"))), Placed)


@pytest.mark.parametrize("successor", ["theirs", None], ids=["taken over", "released"])
def test_a_zombie_has_no_effect(successor, checkout, tables):
    if successor:
        tables.put_claim("claim#1", successor)
    zombie = wish(("lamp", 1), ("mug", 1), fence=Fence(tables.library, "claim#1", "mine"))

    assert checkout.place(zombie) == Superseded()
    assert (tables.stock("lamp"), tables.stock("mug")) == (10, 5)
    assert tables.order_items() == []


def test_a_zombie_is_superseded_though_its_successor_has_ordered(checkout, tables):
    tables.put_claim("claim#1", "theirs")
    checkout.place(wish(("lamp", 1), fence=Fence(tables.library, "claim#1", "theirs")))

    assert checkout.place(wish(("lamp", 1), fence=Fence(tables.library, "claim#1", "mine"))) == Superseded()
    assert tables.stock("lamp") == 9


def test_twenty_threads_sell_the_last_five_exactly_once_each(products, orders, tables):
    checkout = Checkout(products, orders)
    wishes = [wish(("mug", 1), order_id=f"ord_{number}") for number in range(20)]
    with ThreadPoolExecutor(20) as threads:
        outcomes = list(threads.map(checkout.place, wishes))

    placed = [outcome for outcome in outcomes if isinstance(outcome, Placed)]
    assert len(placed) == 5
    assert all(isinstance(outcome, Placed | OutOfStock | Contended) for outcome in outcomes)
    assert tables.stock("mug") == 0
    assert {item["id"]["S"] for item in tables.order_items()} == {outcome.order.id for outcome in placed}


def test_twenty_threads_with_one_claim_make_one_order(products, orders, tables):
    checkout = Checkout(products, orders)
    with ThreadPoolExecutor(20) as threads:
        outcomes = set(threads.map(lambda _: checkout.place(wish(("lamp", 1))), range(20)))

    assert len(outcomes) == 1
    assert tables.stock("lamp") == 9


def test_a_lost_acknowledgement_is_one_order(tables, tcp_proxy):
    """The transaction was made and its answer lost: the driver asks again with the same token."""
    proxy = tcp_proxy(tables.server.port)
    products, orders = tables.opened(f"http://127.0.0.1:{proxy.port}")
    assert products.get("lamp")
    proxy.reset(after_bytes=0, once=True)

    assert orders.commit(order("ord_1"), fence=None) is Commit.WRITTEN
    assert tables.stock("lamp") == 9


def test_conflicts_are_tried_again(tables, http_faults: HttpFaults):
    products, _ = tables.opened(tables.server.endpoint_url)
    _, orders = tables.opened(http_faults.endpoint_url)
    http_faults.fail(CONFLICT, times=1)
    pauses: list[int] = []

    outcome = Checkout(products, orders, pause=pauses.append).place(wish(("lamp", 1)))

    assert isinstance(outcome, Placed)
    assert pauses == [0]


@dataclass
class ConflictingOrders:
    """An orders table at which somebody else always is."""

    orders: Any

    def get(self, order_id):
        return self.orders.get(order_id)

    def commit(self, order, fence):
        return Commit.CONFLICT


def test_conflicts_without_end_are_given_up(products, orders, tables):
    pauses: list[int] = []

    outcome = Checkout(products, ConflictingOrders(orders), pause=pauses.append).place(wish(("lamp", 1)))

    assert outcome == Contended()
    assert pauses == list(range(TRIES))
    assert tables.stock("lamp") == 10


@pytest.mark.parametrize(
    ("reasons", "fenced", "commit"),
    [
        ([FAILED, FAILED, FAILED], True, Commit.CLAIM_LOST),
        (["TransactionConflict", FAILED, None], True, Commit.ALREADY_THERE),
        (["TransactionConflict", None, FAILED], True, Commit.CONFLICT),
        ([None, None, FAILED], True, Commit.PRODUCT_CHANGED),
        ([FAILED, None], False, Commit.ALREADY_THERE),
        ([None, FAILED], False, Commit.PRODUCT_CHANGED),
        ([None, "TransactionConflict"], False, Commit.CONFLICT),
        ([None, "ThrottlingError"], False, None),
        ([], True, None),
    ],
)
def test_reasons_are_read_by_their_place(reasons, fenced, commit):
    assert refusal_of(reasons, fenced=fenced) is commit


def test_order_ids_are_stable_and_tell_nothing_of_the_claim():
    assert order_id_of("claim-1") == order_id_of("claim-1") != order_id_of("claim-2")
    assert order_id_of("claim-1").startswith("ord_")
    assert "claim" not in order_id_of("claim-1")
