"""The shop on the engine: tables of each test's own, and the app in front of them in several set-ups."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest
from fastapi import FastAPI

from functions.api.app import create_app
from functions.api.checkout import Checkout
from functions.api.data.driver import Driver
from functions.api.data.orders import OrderTable
from functions.api.data.products import ProductTable
from functions.api.domain.model import Basket, Order, PricedLine, Product
from tests.api.tables import ShopTables
from tests.harness.dynamodb import DynamoServer
from tests.harness.patience import be_patient

LAMP = Product("lamp", "Lamp", 2500, "EUR", 10)
MUG = Product("mug", "Mug", 900, "EUR", 5)
KITE = Product("kite", "Kite", 1500, "USD", 3)

Start = Callable[..., FastAPI]


def order(order_id: str, owner: str = "key:ann", created_at: str = "2026-01-01T00:00:00.000Z") -> Order:
    """One lamp, as the shop stores it."""
    basket = Basket((PricedLine("lamp", "Lamp", 1, LAMP.price),), "EUR")
    return Order(order_id, owner, "placed", basket, created_at)


@pytest.fixture(autouse=True)
def _patience(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    be_patient(request, monkeypatch)


@pytest.fixture
def tables(dynamo: DynamoServer) -> ShopTables:
    """Fresh tables with a lamp, a mug and a kite."""
    tables = ShopTables.create(dynamo)
    tables.stock_up(LAMP, MUG, KITE)
    return tables


@pytest.fixture
def driver(tables: ShopTables) -> Driver:
    return Driver(tables.settings)


@pytest.fixture
def products(driver: Driver, tables: ShopTables) -> ProductTable:
    return ProductTable(driver, tables.products)


@pytest.fixture
def orders(driver: Driver, tables: ShopTables) -> OrderTable:
    return OrderTable(driver, tables.orders, tables.products)


@pytest.fixture
def checkout(products: ProductTable, orders: OrderTable) -> Checkout:
    """A checkout that doesn't pause between its tries."""
    return Checkout(products, orders, pause=lambda _: None)


@pytest.fixture
def start(tables: ShopTables, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """`start(TIDEGATE_X="…")` makes an app on the test's tables; clients are told apart by their x-api-key."""
    with ExitStack() as gates:

        def started(**environ: str) -> FastAPI:
            for name, value in {**tables.environ, "TIDEGATE_TRUST_API_KEY_HEADER": "1", **environ}.items():
                monkeypatch.setenv(name, value)
            app = create_app()
            gates.callback(app.state.gate.close)
            return app

        yield started


@pytest.fixture(params=["memory", "dynamodb", "redis"])
def store(request: pytest.FixtureRequest) -> dict[str, str]:
    """The library's stores: this process alone, DynamoDB alone, Redis with DynamoDB behind it."""
    if request.param == "memory":
        return {"TIDEGATE_STORE": "memory"}
    environ = {"TIDEGATE_TABLE": request.getfixturevalue("tables").library}
    if request.param == "redis":
        environ["TIDEGATE_REDIS_URL"] = request.getfixturevalue("redis_url")
    # DynamoDB decides on a machine that runs other tests besides: the budget isn't what is tested here.
    return {**environ, "TIDEGATE_DECISION_BUDGET_MS": "9000"}


@pytest.fixture
def app(start: Start) -> FastAPI:
    """The app on this process's memory alone: what a test of the shop itself needs."""
    return start(TIDEGATE_STORE="memory")


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client with the API key `ann`."""
    async with connect(app) as client:
        yield client


def connect(app: FastAPI) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app)
    return httpx.AsyncClient(transport=transport, base_url="http://shop.test", headers={"x-api-key": "ann"})
