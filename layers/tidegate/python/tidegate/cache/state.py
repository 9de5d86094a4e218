"""One environment's cache: its copies, flights and pending invalidations; made at the first request that needs it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tidegate.cache.hit_for_pass import Passes
from tidegate.cache.local import LocalCopies
from tidegate.cache.single_flight import Flights
from tidegate.stores.fleet import FleetView

if TYPE_CHECKING:
    from tidegate.blocking import BlockingRunner
    from tidegate.cache.shared import SharedCopies


@dataclass(frozen=True, slots=True)
class CacheState:
    """An environment's cache.

    Attributes:
        local: its own copies.
        shared: the fleet's copies; None without Redis.
        view: the fleet's size.
        patient: runs blocking waits for others' copies, on threads of their own.
        flights: the flights under way.
        passes: the keys for which requests don't wait (see `hit_for_pass`).
        pending: tags that are still to be voided in Redis.
    """

    local: LocalCopies
    shared: SharedCopies | None
    view: FleetView
    patient: BlockingRunner
    flights: Flights = field(default_factory=Flights)
    passes: Passes = field(default_factory=Passes)
    pending: set[str] = field(default_factory=set)

    def close(self) -> None:
        """Close the connections that wait."""
        if self.shared is not None:
            self.shared.close()

    @property
    def environments(self) -> int:
        """The fleet's size, as this environment knows it."""
        return self.view.fleet.environments
