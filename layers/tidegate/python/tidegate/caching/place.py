"""What one environment holds for its cache; made when the first cached route is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tidegate.caching.flights import Flights
from tidegate.caching.local import LocalCopies
from tidegate.stores.fleet import FleetView

if TYPE_CHECKING:
    from tidegate.caching.shared import SharedCopies
    from tidegate.lifecycle import Waiter


@dataclass(frozen=True, slots=True)
class CachePlace:
    """An environment's cache.

    Attributes:
        local: its own copies.
        shared: the fleet's copies; None without Redis.
        view: the fleet's size.
        patient: waits for what others compute, on threads that nothing else needs.
        flights: what is being computed here.
        pending: tags that Redis has yet to be told are void.
    """

    local: LocalCopies
    shared: SharedCopies | None
    view: FleetView
    patient: Waiter
    flights: Flights = field(default_factory=Flights)
    pending: set[str] = field(default_factory=set)

    def close(self) -> None:
        """Close the connections on which is waited."""
        if self.shared is not None:
            self.shared.close()

    @property
    def environments(self) -> int:
        """How many environments ask for the same things, as far as is known."""
        return self.view.fleet.environments
