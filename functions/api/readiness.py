"""What the API depends on, asked now: the library's stores and the shop's tables, in short time."""

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
from tidegate import ConfigurationError, Gate

if TYPE_CHECKING:
    from functions.api.data.schema import SchemaInForce

TABLE_TIMEOUT_S = 2.0
NOBODY = "health"  # an id that no item has: the cheapest read that proves a table can be read

Status = Literal["ok", "degraded", "down"]


@dataclass(frozen=True, slots=True)
class Dependency:
    """How one dependency does; `since` (ISO 8601, UTC) is when this environment first saw it so."""

    name: str
    state: str
    since: str
    latency_ms: float | None = None
    error: str | None = None
    breaker: str | None = None


@dataclass(frozen=True, slots=True)
class Readiness:
    """The verdict and what it rests on; `degraded` means that a fallback serves, `deciding` says which store."""

    status: Status
    deciding: str
    dependencies: tuple[Dependency, ...]


class ReadinessCheck:
    """Asks everything at once and remembers since when each table has been as it is."""

    def __init__(self) -> None:
        self._tables: dict[str, Dependency] = {}

    async def ask(self, gate: Gate) -> Readiness:
        """Ask the stores and the tables; never raises for what they do."""
        health, schema, *tables = await asyncio.gather(
            gate.health(),
            self._schema(),
            self._table("products-table", lambda open_shop: open_shop.products.get(NOBODY)),
            self._table("orders-table", lambda open_shop: open_shop.orders.get(NOBODY)),
        )
        stores = tuple(Dependency(s.name, s.state, s.since, s.latency_ms, s.error, s.breaker) for s in health.stores)
        needed = (*tables, *schema)
        lost = any(dependency.state == "failing" for dependency in needed)
        return Readiness("down" if lost else health.status, health.deciding, (*stores, *needed))

    async def _schema(self) -> tuple[Dependency, ...]:
        """Compare this code with the migrations; nothing to say where nobody migrates, or while that can't be read."""
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
        opened = await anyio.to_thread.run_sync(shop)  # imports the driver at first: not the table's time
        async with asyncio.timeout(TABLE_TIMEOUT_S):
            await anyio.to_thread.run_sync(lambda: _asked_anyway(opened, read), abandon_on_cancel=True)
    except TimeoutError:
        return f"no answer within {TABLE_TIMEOUT_S:g} s"
    except (ConfigurationError, DataUnavailableError) as error:
        return str(error)
    return None


def _asked_anyway(opened: Shop, read: Callable[[Shop], object]) -> object:
    """Ask even if requests are being refused because the last ones weren't answered."""
    from functions.api.data.driver import asked_anyway  # noqa: PLC0415  # heavy, and imported by `shop` by now

    asked_anyway.set(True)  # this thread's copy of the context ends with the call
    return read(opened)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
