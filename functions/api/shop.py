"""Opens the data layer once per environment, when the first request needs it.

PynamoDB and botocore cost more to import than all the rest of this API together, and a cold start for a health probe, a
refusal or a replay needs neither. So only `shop()` imports them; other modules import their types alone.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING

from functions.api.data.settings import ShopSettings

if TYPE_CHECKING:
    from functions.api.data.orders import OrderTable
    from functions.api.data.products import ProductTable
    from functions.api.data.schema import SchemaTable

Observe = Callable[[str, float], None]

_watchers: list[Observe] = []
_opening = Lock()  # botocore's sessions aren't safe to create from several threads at once


@dataclass(frozen=True, slots=True)
class Shop:
    """The open tables; they share one DynamoDB client."""

    products: "ProductTable"
    orders: "OrderTable"
    schema: "SchemaTable"


def shop() -> Shop:
    """Return the tables that the environment names; blocks on first use, so call it from a worker thread.

    Raises:
        ConfigurationError: the environment doesn't name a table.
    """
    settings = ShopSettings.from_environ(os.environ)
    with _opening:
        return _open(settings)


def watch(observe: Observe) -> None:
    """Call `observe` with the milliseconds of each call to the tables, so that load is shed when they are slow."""
    _watchers[:] = [observe]


def _observed(name: str, took_ms: float) -> None:
    for observe in _watchers:
        observe(name, took_ms)


@lru_cache(maxsize=1)
def _open(settings: ShopSettings) -> Shop:
    from functions.api.data.driver import Driver  # noqa: PLC0415  # heavy, see above
    from functions.api.data.orders import OrderTable  # noqa: PLC0415  # heavy, see above
    from functions.api.data.products import ProductTable  # noqa: PLC0415  # heavy, see above
    from functions.api.data.schema import SchemaTable  # noqa: PLC0415  # heavy, see above

    driver = Driver(settings, _observed)
    return Shop(
        products=ProductTable(driver, settings.products_table),
        orders=OrderTable(driver, settings.orders_table, settings.products_table),
        schema=SchemaTable(driver, settings.library_table, settings.namespace),
    )
