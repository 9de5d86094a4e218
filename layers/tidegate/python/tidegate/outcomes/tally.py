"""This environment's counts that aren't handed over yet, in batches that a store counts once each.

Batches are numbered, and a store ignores a batch if it has counted that number or a later one of this environment. So a
batch whose answer was lost is sent to the same store again, and is still counted once. Only the counts since the last
batch are lost if an environment dies.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from threading import Lock
from typing import Literal, NamedTuple

from tidegate.clock import Clock
from tidegate.outcomes.half_minutes import HalfMinutes
from tidegate.outcomes.histogram import Histogram, bin_of

Place = Literal["redis", "dynamodb"]

# Between two batches of an environment.
BATCH_EVERY_S = 1.0
# A large fleet sends at most so many a second in all.
BATCHES_PER_S = 500
# After a batch that wasn't answered.
AGAIN_AFTER_S = 15.0
# The minutes of two hours: the judge doesn't read older counts.
_MOST_WAITING = 120
_SERVER_ERROR = 500
# A bound on the routes that are counted by name, and on their names' length. Others count under OTHER_ROUTES.
_MOST_ROUTES, _LONGEST_ROUTE = 40, 120
OTHER_ROUTES = "*"
_TARGET_EVERY_S = 60.0
_TARGETS_A_MINUTE = 20


class Source(NamedTuple):
    """The function's version whose requests are counted, in one deployment."""

    namespace: str
    function: str
    version: str


class Batch(NamedTuple):
    """Counts on their way to a store.

    Attributes:
        number: its number, ascending within an environment.
        minute: the minute since the epoch in which it was closed, and for which it counts.
        fields: the numbers to add, by name. The first letter is `c` for the first request after a cold start, `p` for
            requests that a release replays, `w` for all others. Then follows `r` for requests, `e` for responses with
            a 5xx, `t` for timeouts, `l` and a bin's number for latencies, or `d` for refused requests, which count in
            none of the others. `wq` and `wo` are the squares of requests and failures, `sr:` and `se:` with a route's
            name its requests and failures; these count `w` alone. `g:` and a target: it may be replayed.
    """

    number: int
    minute: int
    fields: dict[str, int]


class _Waiting:
    """A batch, the store that may have counted it already, and how often it was sent there."""

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
    """The counters of cold, of warm or of replayed requests."""

    __slots__ = ("latency", "refused", "requests", "routes", "server_errors", "timeouts")

    def __init__(self) -> None:
        self.requests = self.server_errors = self.timeouts = self.refused = 0
        self.latency: dict[int, int] = {}
        self.routes: dict[str, list[int]] = {}  # requests and failures

    def fields(self, prefix: str) -> dict[str, int]:
        """Return the counters that aren't zero, by name."""
        numbers = {"r": self.requests, "e": self.server_errors, "t": self.timeouts, "d": self.refused}
        named = {prefix + name: number for name, number in numbers.items() if number}
        return named | Histogram(self.latency).increments(f"{prefix}l")

    def route_fields(self) -> dict[str, int]:
        """Return the routes' counters that aren't zero, by name."""
        kinds = ("sr:", "se:")
        return {
            kind + name: number
            for name, numbers in self.routes.items()
            for kind, number in zip(kinds, numbers, strict=True)
            if number
        }

    def of_route(self, name: str, *, failed: bool) -> None:
        """Count a request of a route."""
        numbers = self.routes.get(name)
        if numbers is None:
            numbers = self.routes[name] = [0, 0]
        numbers[0] += 1
        numbers[1] += failed


class Tally:
    """Counts this environment's requests; thread-safe.

    Args:
        source: the version whose requests they are.
        clock: where the time comes from.
        environments: returns how many environments are alive; None: few.
    """

    def __init__(self, source: Source, clock: Clock, environments: Callable[[], int] | None = None) -> None:
        self.source = source
        self._environments = environments
        self.environment = uuid.uuid4().hex[:12]
        self._clock = clock
        self._lock = Lock()
        self._cold, self._warm, self._replayed = _Counted(), _Counted(), _Counted()
        self._half_minutes = HalfMinutes()
        self._routes: set[str] = set()
        self._target: str | None = None
        self._target_at = -_TARGET_EVERY_S
        self._is_warm = False  # whether the first request after the cold start has been counted
        self._since: float | None = None  # when the oldest count that is in no batch was made
        self._waiting: list[_Waiting] = []
        self._number = 0
        self._next = 0.0

    def ended(
        self,
        status: int | None,
        seconds: float,
        route: str | None = None,
        *,
        refused: bool = False,
        again: bool = False,
    ) -> None:
        """Count a request that has ended.

        Args:
            status: its response's; None: its client has left.
            seconds: its duration.
            route: its route's name; None: it isn't counted by route.
            refused: whether it was shed or limited, which tells nothing of a version.
            again: whether a release replayed it.
        """
        with self._lock:
            counted = self._next_counted(again=again)
            if refused:
                counted.refused += 1
                return
            counted.requests += 1
            failed = status is not None and status >= _SERVER_ERROR
            if route is not None and counted is self._warm:
                counted.of_route(self._known(route), failed=failed)
            if status is None:
                return
            if failed:
                counted.server_errors += 1
                return
            at = bin_of(int(seconds * 1_000_000))
            counted.latency[at] = counted.latency.get(at, 0) + 1

    def timed_out(self, route: str | None = None) -> None:
        """Count a request that won't end before its function's timeout."""
        with self._lock:
            counted = self._next_counted()
            counted.requests += 1
            counted.timeouts += 1
            if route is not None and counted is self._warm:
                counted.of_route(self._known(route), failed=True)

    @property
    def wants_target(self) -> bool:
        """Whether another request's target may be recorded for replays: one a minute."""
        return self._clock.monotonic() - self._target_at >= _TARGET_EVERY_S

    def may_be_replayed(self, target: str) -> None:
        """Record a target, if one is wanted. In a large fleet only some environments, drawn at random, do."""
        with self._lock:
            if not self.wants_target:
                return
            self._target_at = self._clock.monotonic()
            others = 0 if self._environments is None else self._environments()
            if random.random() * others < _TARGETS_A_MINUTE:  # noqa: S311  no secret
                self._target = target

    def crashed(self, *, cold: bool) -> None:
        """Count a request in which an earlier process died. Its client got a 5xx, so it counts as a server error."""
        with self._lock:
            if self._since is None:
                self._since = self._clock.monotonic()
            counted = self._cold if cold else self._warm
            counted.requests += 1
            counted.server_errors += 1

    def due(self) -> Batch | None:
        """Return a batch that may ride along to Redis now, at most once a second; it is kept until `heard`."""
        now = self._clock.monotonic()
        if now < self._next:  # unlocked, so that the usual case costs no lock; a stale read delays a batch at most
            return None
        with self._lock:
            if now < self._next:
                return None
            found = self._first("redis")
            if found is None:
                return None
            self._next = now + (self.every_s if found.tried is None else max(AGAIN_AFTER_S, self.every_s))
            return found.given_to("redis")

    @property
    def every_s(self) -> float:
        """The seconds between two batches."""
        others = 0 if self._environments is None else self._environments() - 1
        return max(BATCH_EVERY_S, others / BATCHES_PER_S)

    def first(self, place: Place) -> Batch | None:
        """Return the next batch for a store; from now on only that store may get it."""
        with self._lock:
            found = self._first(place)
            return None if found is None else found.given_to(place)

    def heard(self, batch: Batch) -> None:
        """Forget a batch that was counted."""
        with self._lock:
            self._waiting = [waiting for waiting in self._waiting if waiting.batch is not batch]

    def unheard(self, batch: Batch) -> None:
        """Note that the store can't have read a batch; if it was sent only once, any store may get it."""
        with self._lock:
            for waiting in self._waiting:
                if waiting.batch is batch and waiting.times == 1:
                    waiting.tried, waiting.times = None, 0

    @property
    def waits_s(self) -> float:
        """For how many seconds the oldest count that is in no batch has waited; 0 if there is none."""
        since = self._since
        return 0.0 if since is None else self._clock.monotonic() - since

    def _next_counted(self, *, again: bool = False) -> _Counted:
        if self._since is None:
            self._since = self._clock.monotonic()
        counted = self._warm if self._is_warm else self._cold
        self._is_warm = True
        return self._replayed if again and counted is self._warm else counted

    def _known(self, route: str) -> str:
        """Return the name under which a route counts: its own, as long as those are few, if it is short."""
        if route in self._routes:
            return route
        if len(self._routes) >= _MOST_ROUTES or len(route) > _LONGEST_ROUTE:
            return OTHER_ROUTES
        self._routes.add(route)
        return route

    def _first(self, place: Place) -> _Waiting | None:
        self._close()
        return next((waiting for waiting in self._waiting if waiting.tried in (None, place)), None)

    def _close(self) -> None:
        """Make a batch of the counts, if there are any."""
        if self._since is None:
            return
        now_us, warm = self._clock.wall_us(), self._warm
        fields = self._cold.fields("c") | warm.fields("w") | self._replayed.fields("p")
        # Only with routes: without them an environment's failures can't be told apart anyway.
        if warm.routes:
            squares = self._half_minutes.after(now_us, warm.requests, warm.server_errors + warm.timeouts)
            fields |= {name: square for name, square in zip(("wq", "wo"), squares, strict=True) if square}
            fields |= warm.route_fields()
        if self._target is not None:
            fields[f"g:{self._target}"] = 1
        self._number += 1
        self._waiting.append(_Waiting(Batch(self._number, now_us // 60_000_000, fields)))
        del self._waiting[:-_MOST_WAITING]
        self._cold, self._warm, self._replayed = _Counted(), _Counted(), _Counted()
        self._since = self._target = None
