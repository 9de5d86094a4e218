"""What this environment has counted and not yet handed over, in batches that a store counts once each.

A batch bears this environment's number, and a store that has heard that number or a later one counts nothing again. So
a batch whose answer was lost is sent again, to the same store: counted once, however often it was sent. What is lost
is what an environment that ends unheard has counted since its last batch.
"""

from __future__ import annotations

import uuid
from threading import Lock
from typing import Literal, NamedTuple

from tidegate.algorithms.histogram import Histogram, bin_of
from tidegate.clock import Clock

Place = Literal["redis", "dynamodb"]

# Between two batches of an environment; and after one that wasn't answered.
BATCH_EVERY_S = 1.0
AGAIN_AFTER_S = 15.0
# Two hours' minutes: what waits for longer would be counted where nobody looks any more.
_MOST_WAITING = 120
_SERVER_ERROR = 500


class Source(NamedTuple):
    """Whose requests are counted: of a function's version, in a deployment."""

    namespace: str
    function: str
    version: str


class Batch(NamedTuple):
    """Counts on their way to a store.

    Attributes:
        number: this environment's, ascending.
        minute: the epoch's minute in which it was closed, to which it counts.
        fields: what is to be added, by name: `c` of the first request after a cold start, `w` of others; then `r` for
            requests, `e` for those answered with a 5xx, `t` for those timed out, `l` and a bin's number for latencies.
    """

    number: int
    minute: int
    fields: dict[str, int]


class _Waiting:
    """A batch, the store that may have counted it already, and how often that was told."""

    __slots__ = ("batch", "times", "tried")

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.tried: Place | None = None
        self.times = 0

    def given_to(self, place: Place) -> Batch:
        self.tried = place
        self.times += 1
        return self.batch


class _Counted:
    """One temperature's counters."""

    __slots__ = ("latency", "requests", "server_errors", "timeouts")

    def __init__(self) -> None:
        self.requests = self.server_errors = self.timeouts = 0
        self.latency: dict[int, int] = {}

    def fields(self, prefix: str) -> dict[str, int]:
        """Name what isn't zero."""
        numbers = {"r": self.requests, "e": self.server_errors, "t": self.timeouts}
        named = {prefix + name: number for name, number in numbers.items() if number}
        return named | Histogram(self.latency).increments(f"{prefix}l")


class Tally:
    """Counts this environment's requests; thread-safe.

    Args:
        source: whose requests they are.
        clock: where the time comes from.
    """

    def __init__(self, source: Source, clock: Clock) -> None:
        self.source = source
        self.environment = uuid.uuid4().hex[:12]
        self._clock = clock
        self._lock = Lock()
        self._cold, self._warm = _Counted(), _Counted()
        self._begun = False  # the first request after the cold start has been counted
        self._since: float | None = None  # when the oldest of what isn't in a batch was counted
        self._waiting: list[_Waiting] = []
        self._number = 0
        self._next = 0.0

    def ended(self, status: int | None, seconds: float) -> None:
        """Count a request that was answered, or whose client has left (None)."""
        with self._lock:
            counted = self._next_counted()
            counted.requests += 1
            if status is None:
                return
            if status >= _SERVER_ERROR:
                counted.server_errors += 1
                return
            at = bin_of(int(seconds * 1_000_000))
            counted.latency[at] = counted.latency.get(at, 0) + 1

    def timed_out(self) -> None:
        """Count a request that will not be answered any more."""
        with self._lock:
            counted = self._next_counted()
            counted.requests += 1
            counted.timeouts += 1

    def crashed(self, *, cold: bool) -> None:
        """Count a request in whose middle a former process died; of its clients' it is a server error."""
        with self._lock:
            if self._since is None:
                self._since = self._clock.monotonic()
            counted = self._cold if cold else self._warm
            counted.requests += 1
            counted.server_errors += 1

    def due(self) -> Batch | None:
        """Return what may ride along to Redis now, at most once a second; it is kept until `heard`."""
        now = self._clock.monotonic()
        if now < self._next:  # unlocked: the usual answer costs no lock, and a late one is as good
            return None
        with self._lock:
            if now < self._next:
                return None
            found = self._first("redis")
            if found is None:
                return None
            self._next = now + (BATCH_EVERY_S if found.tried is None else AGAIN_AFTER_S)
            return found.given_to("redis")

    def first(self, place: Place) -> Batch | None:
        """Return the next batch for a store; from now on it is that store's alone."""
        with self._lock:
            found = self._first(place)
            return None if found is None else found.given_to(place)

    def heard(self, batch: Batch) -> None:
        """Forget a batch that was counted."""
        with self._lock:
            self._waiting = [waiting for waiting in self._waiting if waiting.batch is not batch]

    def unheard(self, batch: Batch) -> None:
        """Note that nobody was there to hear a batch; if it was told only once, any store may have it."""
        with self._lock:
            for waiting in self._waiting:
                if waiting.batch is batch and waiting.times == 1:
                    waiting.tried, waiting.times = None, 0

    @property
    def waits_s(self) -> float:
        """For how long the oldest has waited that no store has been given; 0 if there is none."""
        since = self._since
        return 0.0 if since is None else self._clock.monotonic() - since

    def _next_counted(self) -> _Counted:
        if self._since is None:
            self._since = self._clock.monotonic()
        counted = self._warm if self._begun else self._cold
        self._begun = True
        return counted

    def _first(self, place: Place) -> _Waiting | None:
        self._close()
        return next((waiting for waiting in self._waiting if waiting.tried in (None, place)), None)

    def _close(self) -> None:
        """Make a batch of what was counted, if anything was."""
        if self._since is None:
            return
        fields = self._cold.fields("c") | self._warm.fields("w")
        self._number += 1
        self._waiting.append(_Waiting(Batch(self._number, self._clock.wall_us() // 60_000_000, fields)))
        del self._waiting[:-_MOST_WAITING]
        self._cold, self._warm, self._since = _Counted(), _Counted(), None
