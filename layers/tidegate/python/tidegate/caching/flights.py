"""Single flight: requests for one thing that run in one environment at the same time are one computation.

Source: Go's `golang.org/x/sync/singleflight`; HTTP caches call it collapsed forwarding.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

from tidegate.record import StoredResponse


class Landing(NamedTuple):
    """What a computation has for those who waited.

    Attributes:
        response: the answer, whole.
        age_ms: how old it is: 0 unless it is a copy that stands in for a failure.
        fresh_ms: for how long it is fresh; None: it isn't kept.
    """

    response: StoredResponse
    age_ms: int = 0
    fresh_ms: int | None = None


class Flight:
    """One computation under way, on one event loop."""

    def __init__(self, flights: Flights, key: tuple[int, str], tags: tuple[str, ...]) -> None:
        self._flights = flights
        self._key = key
        self.tags = tags
        self._answer: asyncio.Future[Landing | None] = asyncio.get_running_loop().create_future()

    def land(self, landing: Landing | None) -> None:
        """End it: whoever waits gets this answer, or, if it is None, has to see for himself. Safe to repeat."""
        self._flights.ended(self._key, self)
        if not self._answer.done():
            self._answer.set_result(landing)

    async def landed(self, timeout_s: float) -> Landing | None:
        """Wait for its end; None if there is nothing to share, or not in time."""
        with suppress(TimeoutError):
            return await asyncio.wait_for(asyncio.shield(self._answer), timeout_s)
        return None


class Flights:
    """The computations of an environment; each event loop has its own."""

    def __init__(self) -> None:
        self._under_way: dict[tuple[int, str], Flight] = {}

    def find(self, key: str) -> Flight | None:
        """Return the flight under way for a key."""
        return self._under_way.get(_placed(key))

    def begin(self, key: str, tags: tuple[str, ...] = ()) -> Flight:
        """Begin one; who asks for the key from now on finds this one."""
        placed = _placed(key)
        flight = self._under_way[placed] = Flight(self, placed, tags)
        return flight

    def void(self, tags: Iterable[str]) -> None:
        """Let nobody join any more what is computed under one of these tags; who has joined still gets it."""
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
