"""The data layer alone: reads, pages, and what becomes of DynamoDB's failures."""

import pytest

from functions.api.data.driver import CONNECT_TIMEOUT_S, READ_TIMEOUT_S, RETRIES, Driver
from functions.api.data.errors import DataUnavailableError
from functions.api.data.products import ProductTable
from functions.api.data.settings import ShopSettings
from functions.api.domain.model import Product
from tests.api.conftest import KITE, LAMP, MUG, order
from tests.harness.http_faults import INTERNAL, THROTTLED
from tests.harness.ports import free_port
from tidegate import ConfigurationError


def test_a_product_is_read_as_it_was_stored(products):
    assert products.get("lamp") == LAMP


def test_an_unknown_product_is_none(products):
    assert products.get("unicorn") is None


def test_many_leaves_unknown_ids_out(products):
    assert products.many(["kite", "unicorn", "lamp", "lamp"]) == {"kite": KITE, "lamp": LAMP}


def test_pages_hold_every_product_once(products, tables):
    tables.stock_up(*(Product(f"p{n}", f"P {n}", n, "EUR", n) for n in range(22)))
    seen, after = [], None
    while True:
        page = products.page(10, after)
        seen += [product.id for product in page.products]
        if (after := page.next_after) is None:
            break
        assert len(page.products) == 10

    assert len(seen) == 25
    assert set(seen) == {"lamp", "mug", "kite", *(f"p{n}" for n in range(22))}


def test_a_last_page_that_is_full_promises_no_other(products):
    page = products.page(3, None)

    assert {product.id for product in page.products} == {"lamp", "mug", "kite"}
    assert page.next_after is None


def test_a_page_goes_on_behind_a_product_that_is_gone_meanwhile(products, tables):
    first = products.page(1, None)
    tables.drop_product(first.products[0].id)
    rest = products.page(10, first.next_after)

    assert {p.id for p in (*first.products, *rest.products)} == {"lamp", "mug", "kite"}


def test_an_order_is_read_as_it_was_written(orders):
    orders.commit(order("ord_1"), fence=None)

    assert orders.get("ord_1") == order("ord_1")


def test_the_owners_orders_come_oldest_first(orders):
    for day, owner in ((3, "key:ann"), (1, "key:ann"), (2, "key:bob")):
        orders.commit(order(f"ord_{day}", owner, f"2026-01-0{day}T00:00:00.000Z"), fence=None)

    assert [found.id for found in orders.owned_by("key:ann")] == ["ord_1", "ord_3"]


def test_every_order_is_read_across_pages(orders):
    for number in range(7):
        orders.commit(order(f"ord_{number}"), fence=None)

    assert sorted(found.id for found in orders.every(page_size=2)) == [f"ord_{n}" for n in range(7)]


def test_all_tables_share_one_client_with_short_timeouts(products, orders, driver):
    client = driver.connection.client
    assert products._row._get_connection().connection.client is client
    assert orders._row._get_connection().connection.client is client
    assert orders._product._get_connection().connection.client is client

    config = client.meta.config
    assert (config.connect_timeout, config.read_timeout) == (CONNECT_TIMEOUT_S, READ_TIMEOUT_S)
    assert config.retries["total_max_attempts"] == 1 + RETRIES


@pytest.mark.parametrize("error", [THROTTLED, INTERNAL], ids=lambda error: error.code)
def test_dynamodbs_refusals_become_data_unavailable(error, http_faults, tables):
    products, orders = tables.opened(http_faults.endpoint_url)
    http_faults.fail(error)

    for ask in (
        lambda: products.get("lamp"),
        lambda: products.many(["lamp"]),
        lambda: products.page(5, None),
        lambda: list(products.every()),
        lambda: orders.get("ord_1"),
        lambda: list(orders.owned_by("key:ann")),
        lambda: list(orders.every()),
        lambda: orders.commit(order("ord_1"), fence=None),
    ):
        with pytest.raises(DataUnavailableError, match=error.code):
            ask()


def test_a_short_throttling_is_ridden_out(http_faults, tables):
    products, _ = tables.opened(http_faults.endpoint_url)
    http_faults.fail(THROTTLED, times=1)

    assert products.get("mug") == MUG


def test_an_unreachable_endpoint_becomes_data_unavailable(tables):
    products, orders = tables.opened(f"http://127.0.0.1:{free_port()}")

    with pytest.raises(DataUnavailableError, match="EndpointConnectionError"):
        products.get("lamp")
    with pytest.raises(DataUnavailableError, match="EndpointConnectionError"):
        orders.commit(order("ord_1"), fence=None)


def test_a_hung_endpoint_becomes_data_unavailable(dynamo, tables):
    products, _ = tables.opened(dynamo.endpoint_url)
    dynamo.stop()
    try:
        with pytest.raises(DataUnavailableError, match="ReadTimeoutError"):
            products.get("lamp")
    finally:
        dynamo.cont()


def test_a_missing_table_becomes_data_unavailable(dynamo):
    driver = Driver(ShopSettings("nowhere", "nowhere-else", "us-east-1", dynamo.endpoint_url))

    with pytest.raises(DataUnavailableError, match="ResourceNotFoundException"):
        ProductTable(driver, "nowhere").get("lamp")


def test_botocore_honours_the_endpoint_of_the_environment(tables, monkeypatch):
    """Without an endpoint in the settings, boto's own variable decides."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", tables.server.endpoint_url)
    products, _ = tables.opened(None)

    assert products.get("lamp") == LAMP


@pytest.mark.parametrize("missing", ["TIDEGATE_PRODUCTS_TABLE", "TIDEGATE_ORDERS_TABLE"])
def test_a_missing_variable_is_named_with_what_to_write(missing):
    environ = {"TIDEGATE_PRODUCTS_TABLE": "p", "TIDEGATE_ORDERS_TABLE": "o", missing: " "}

    with pytest.raises(ConfigurationError, match=rf"^{missing}: not set; write the name of .* table"):
        ShopSettings.from_environ(environ)


def test_settings_take_the_most_specific_endpoint():
    environ = {
        "TIDEGATE_PRODUCTS_TABLE": "p",
        "TIDEGATE_ORDERS_TABLE": "o",
        "AWS_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:2",
    }

    assert ShopSettings.from_environ(environ) == ShopSettings("p", "o", "eu-central-1", "http://127.0.0.1:2")
