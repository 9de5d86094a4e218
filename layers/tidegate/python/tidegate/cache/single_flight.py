"""Single flight: concurrent requests for one key in one environment share one run of the handler.

Source: Go's `golang.org/x/sync/singleflight`; HTTP caches call it collapsed forwarding.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from enum import Enum
from typing import Literal, NamedTuple

from tidegate.web.stored_response import StoredResponse


class FlightResult(NamedTuple):
    """The result of a flight, for the requests that have waited.

    Attributes:
        response: the whole response.
        age_ms: its age: 0 unless it is a copy that replaces a failure.
        fresh_ms: for how long it is fresh; None: it isn't kept.
    """

    response: StoredResponse
    age_ms: int = 0
    fresh_ms: int | None = None


class Empty(Enum):
    """The result of a flight that has ended with nothing to share."""

    UNSHARED = "unshared"


UNSHARED = Empty.UNSHARED
Landed = FlightResult | Literal[Empty.UNSHARED] | None


class Flight:
    """One run that others may join, on one event loop."""

    def __init__(self, flights: Flights, key: tuple[int, str], tags: tuple[str, ...]) -> None:
        self._flights = flights
        self._key = key
        self.tags = tags
        self._result: asyncio.Future[Landed] = asyncio.get_running_loop().create_future()

    def land(self, landing: Landed) -> None:
        """End it; safe to repeat.

        Args:
            landing: the result for all that wait; UNSHARED: the response can't be shared, so each of them runs by
                itself, at once; None: there is no response, and one of them begins a new flight.
        """
        self._flights.ended(self._key, self)
        if not self._result.done():
            self._result.set_result(landing)

    async def landed(self, timeout_s: float) -> Landed:
        """Wait for its end; None if there is no result, or not in time."""
        with suppress(TimeoutError):
            return await asyncio.wait_for(asyncio.shield(self._result), timeout_s)
        return None


class Flights:
    """The flights of an environment; each event loop has its own."""

    def __init__(self) -> None:
        self._under_way: dict[tuple[int, str], Flight] = {}

    def find(self, key: str) -> Flight | None:
        """Return the flight under way for a key."""
        return self._under_way.get(_placed(key))

    def begin(self, key: str, tags: tuple[str, ...] = ()) -> Flight:
        """Begin a flight; `find` returns it from now on."""
        placed = _placed(key)
        flight = self._under_way[placed] = Flight(self, placed, tags)
        return flight

    def void(self, tags: Iterable[str]) -> None:
        """Let no further request join a flight with one of these tags; those that have joined still get its result."""
        voided = set(tags)
        for key, flight in list(self._under_way.items()):
            if voided.intersection(flight.tags):
                self._under_way.pop(key, None)

    def ended(self, key: tuple[int, str], flight: Flight) -> None:
        """Forget a flight, unless another one has begun since."""
        if self._under_way.get(key) is flight:
            del self._under_way[key]


def _placed(key: str) -> tuple[int, str]:
    return id(asyncio.get_running_loop()), key
