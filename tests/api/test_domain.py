import random

from hypothesis import given
from hypothesis import strategies as st

from functions.api.domain.export import ORDER_COLUMNS, PRODUCT_COLUMNS, order_rows, product_rows
from functions.api.domain.model import Basket, Line, Order, PricedLine, Product
from functions.api.domain.pricing import price, shortage
from functions.api.domain.refusals import MixedCurrencies, OutOfStock, UnknownProduct
from functions.api.domain.sales import report

LAMP = Product("lamp", "Lamp", 2500, "EUR", 10)
MUG = Product("mug", "Mug", 900, "EUR", 5)
KITE = Product("kite", "Kite", 1500, "USD", 3)
SHOP = {product.id: product for product in (LAMP, MUG, KITE)}

ids = st.text("abcdef", min_size=1, max_size=3)
products = st.builds(
    Product,
    id=ids,
    name=st.text(max_size=10),
    price=st.integers(0, 10**9),
    currency=st.just("EUR"),
    stock=st.integers(0, 1000),
)
catalogues = st.lists(products, min_size=1, max_size=20, unique_by=lambda product: product.id)
quantities = st.integers(1, 1000)
priced_lines = st.builds(
    PricedLine, product_id=ids, name=st.just("x"), quantity=quantities, price=st.integers(0, 10**9)
)
baskets = st.builds(
    Basket,
    lines=st.lists(priced_lines, min_size=1, max_size=20, unique_by=lambda line: line.product_id).map(tuple),
    currency=st.sampled_from(["EUR", "USD"]),
)


def order(number, basket):
    return Order(f"ord_{number}", "key:ann", "placed", basket, f"2026-01-01T00:00:00.{number:03}Z")


@given(catalogues, st.data())
def test_the_total_sums_price_times_quantity_and_lines_keep_their_order(catalogue, data):
    lines = [Line(product.id, data.draw(st.integers(1, max(1, product.stock)))) for product in catalogue]
    found = {product.id: product for product in catalogue}

    basket = price(lines, found)

    if any(product.stock == 0 for product in catalogue):
        assert isinstance(basket, OutOfStock)
        return
    assert isinstance(basket, Basket)
    assert basket.total == sum(found[line.product_id].price * line.quantity for line in lines)
    assert [line.product_id for line in basket.lines] == [line.product_id for line in lines]


@given(catalogues, st.randoms(use_true_random=False))
def test_total_doesnt_depend_on_the_sequence(catalogue, shuffler: random.Random):
    plenty = {p.id: Product(p.id, p.name, p.price, p.currency, 1000) for p in catalogue}
    lines = [Line(product_id, 3) for product_id in plenty]
    shuffled = lines.copy()
    shuffler.shuffle(shuffled)

    assert price(lines, plenty).total == price(shuffled, plenty).total


@given(catalogues, quantities)
def test_a_shortage_names_a_product_that_has_less_than_wanted(catalogue, quantity):
    found = {product.id: product for product in catalogue}
    short = shortage([Line(product.id, quantity) for product in catalogue], found)

    if short is None:
        assert all(product.stock >= quantity for product in catalogue)
    else:
        assert short.left == found[short.product_id].stock < short.wanted == quantity


def test_an_unknown_product_goes_before_currency_and_stock():
    lines = [Line("lamp", 99), Line("kite", 1), Line("unicorn", 1)]

    assert price(lines, SHOP) == UnknownProduct("unicorn")


def test_mixed_currencies_go_before_stock():
    assert price([Line("lamp", 99), Line("kite", 1)], SHOP) == MixedCurrencies(("EUR", "USD"))


def test_out_of_stock_says_how_many_are_left():
    assert price([Line("mug", 6)], SHOP) == OutOfStock("mug", wanted=6, left=5)


def test_the_last_pieces_may_be_ordered():
    assert isinstance(price([Line("mug", 5)], SHOP), Basket)


def test_what_was_asked_for_is_compared_whatever_the_sequence_and_price():
    one = price([Line("lamp", 1), Line("mug", 2)], SHOP)
    other = price([Line("mug", 2), Line("lamp", 1)], {**SHOP, "lamp": Product("lamp", "Lamp", 1, "EUR", 10)})

    assert order(1, one).asked == order(2, other).asked


@given(st.lists(baskets, max_size=30))
def test_the_report_loses_nothing(sold):
    orders = [order(number, basket) for number, basket in enumerate(sold)]

    result = report(iter(orders))

    assert result.orders == len(sold)
    for currency in ("EUR", "USD"):
        revenue = sum(sale.revenue for sale in result.sales if sale.currency == currency)
        assert revenue == sum(basket.total for basket in sold if basket.currency == currency)
    assert sum(sale.quantity for sale in result.sales) == sum(line.quantity for basket in sold for line in basket.lines)
    assert list(result.sales) == sorted(result.sales, key=lambda sale: (sale.product_id, sale.currency))


@given(st.lists(baskets, max_size=10))
def test_an_export_has_one_row_per_line_with_all_columns(sold):
    rows = list(order_rows(order(number, basket) for number, basket in enumerate(sold)))

    assert len(rows) == sum(len(basket.lines) for basket in sold)
    assert all(tuple(row) == ORDER_COLUMNS for row in rows)
    assert sum(int(row["amount"]) for row in rows) == sum(basket.total for basket in sold)


def test_product_rows_have_all_columns():
    assert [tuple(row) for row in product_rows([LAMP])] == [PRODUCT_COLUMNS]
