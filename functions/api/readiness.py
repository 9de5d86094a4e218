"""The API's dependencies, checked at most once a second, with short timeouts: stores and tables."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

import anyio.to_thread

from functions.api.data.errors import DataUnavailableError
from functions.api.schema import SCHEMA_VERSION
from functions.api.shop import Shop, shop
from tidegate import ConfigurationError, Gate, HealthCheck

if TYPE_CHECKING:
    from functions.api.data.schema import SchemaInForce

TABLE_TIMEOUT_S = 2.0
NOBODY = "health"  # an id that no item has: the cheapest read that proves a table can be read

Status = Literal["ok", "degraded", "down"]


@dataclass(frozen=True, slots=True)
class Dependency:
    """The state of one dependency; `since` (ISO 8601, UTC) is when this environment first saw that state."""

    name: str
    state: str
    since: str
    latency_ms: float | None = None
    error: str | None = None
    breaker: str | None = None


@dataclass(frozen=True, slots=True)
class Readiness:
    """The status and its reasons; `degraded` means that a fallback decides, `deciding` is the store that does."""

    status: Status
    deciding: str
    dependencies: tuple[Dependency, ...]


class ReadinessCheck:
    """Checks all dependencies at once, and remembers since when each has been in its state."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._tables: dict[str, Dependency] = {}
        self._checked = HealthCheck(self._ask)

    async def ask(self) -> Readiness:
        """Return a result that is at most a second old; never raises for failures of stores or tables."""
        return await self._checked()

    async def _ask(self) -> Readiness:
        health, schema, *tables = await asyncio.gather(
            self._gate.health(),
            self._schema(),
            self._table("products-table", lambda open_shop: open_shop.products.get(NOBODY)),
            self._table("orders-table", lambda open_shop: open_shop.orders.get(NOBODY)),
        )
        stores = tuple(Dependency(s.name, s.state, s.since, s.latency_ms, s.error, s.breaker) for s in health.stores)
        needed = (*tables, *schema)
        lost = any(dependency.state == "failing" for dependency in needed)
        return Readiness("down" if lost else health.status, health.deciding, (*stores, *needed))

    async def _schema(self) -> tuple[Dependency, ...]:
        """Compare this code with the schema in force; empty if there are no migrations, or they can't be read."""
        begun = time.perf_counter()
        found: list[SchemaInForce | None] = []
        await _error_of(lambda open_shop: found.append(open_shop.schema.in_force()))
        if not found or found[0] is None:
            return ()
        return (self._seen("schema", found[0].fault(SCHEMA_VERSION), begun),)

    async def _table(self, name: str, read: Callable[[Shop], object]) -> Dependency:
        begun = time.perf_counter()
        return self._seen(name, await _error_of(read), begun)

    def _seen(self, name: str, error: str | None, begun: float) -> Dependency:
        latency_ms = None if error else round((time.perf_counter() - begun) * 1000, 1)
        before, state = self._tables.get(name), "failing" if error else "ready"
        since = before.since if before and before.state == state else _now()
        seen = Dependency(name, state, since)
        self._tables[name] = seen
        return replace(seen, latency_ms=latency_ms, error=error)


async def _error_of(read: Callable[[Shop], object]) -> str | None:
    try:
        opened = await anyio.to_thread.run_sync(shop)  # imports the driver at first, which isn't the table's time
        async with asyncio.timeout(TABLE_TIMEOUT_S):
            await anyio.to_thread.run_sync(lambda: _asked_anyway(opened, read), abandon_on_cancel=True)
    except TimeoutError:
        return f"no answer within {TABLE_TIMEOUT_S:g} s"
    except (ConfigurationError, DataUnavailableError) as error:
        return str(error)
    return None


def _asked_anyway(opened: Shop, read: Callable[[Shop], object]) -> object:
    """Read even if requests are being refused because the table didn't answer the last ones."""
    from functions.api.data.driver import asked_anyway  # noqa: PLC0415  # heavy, and imported by `shop` by now

    asked_anyway.set(True)  # this thread's copy of the context ends with the call
    return read(opened)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
