"""This environment's own copies, for outages of Redis. Bounded in bytes; the least recently used one goes first.

During an outage there is no lease, so each environment renews its copies by itself: more rarely the larger the fleet
is, and at random moments. Together they run the handler as often as before, as far as `stale_if_error` allows.
"""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Callable, Iterable
from threading import Lock
from typing import NamedTuple

from tidegate.cache.freshness import Kept
from tidegate.cache_messages import Windows
from tidegate.clock import Clock

DEFAULT_CAPACITY_BYTES = 16 * 1024 * 1024
# The memory of a copy beside its bytes: key, entry, places in two tables.
_OVERHEAD_BYTES = 600
_JITTER = 0.1
_VOIDED_KEPT = 10_000


class LocalCopy(NamedTuple):
    """A copy in this environment.

    Attributes:
        record: the encoded response (see `web.stored_response.StoredResponse`).
        tags: digests of its tags.
        made_us: when it was made; epoch microseconds by this environment's clock.
        windows: for how long it may be used from then on.
        delta_ms: how long it took to make.
        due_us: when this environment renews it, if Redis is still away; epoch microseconds.
    """

    record: bytes
    tags: tuple[str, ...]
    made_us: int
    windows: Windows
    delta_ms: int = 0
    due_us: int = 0

    def age_ms(self, now_us: int) -> int:
        """How old it is."""
        return (now_us - self.made_us) // 1000

    def kept(self, now_us: int) -> Kept:
        """Its times, from now."""
        fresh_ms = self.windows.fresh_ms - self.age_ms(now_us)
        return Kept(fresh_ms, fresh_ms + self.windows.stale_ms, fresh_ms + self.windows.error_ms, self.delta_ms)


class LocalCopies:
    """The copies; thread-safe.

    Args:
        clock: gives the time.
        capacity_bytes: the bound of all copies together.
        drawn: draws a number from 0 to 1.
    """

    def __init__(
        self,
        clock: Clock,
        capacity_bytes: int = DEFAULT_CAPACITY_BYTES,
        drawn: Callable[[], float] = random.random,
    ) -> None:
        self._clock = clock
        self._capacity_bytes = capacity_bytes
        self._drawn = drawn
        self._copies: OrderedDict[str, LocalCopy] = OrderedDict()
        self._voided_us: OrderedDict[str, int] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    @property
    def size_bytes(self) -> int:
        """The memory that they take."""
        return self._bytes

    def get(self, key: str) -> LocalCopy | None:
        """Return a copy; None if there is none that may still be used."""
        with self._lock:
            copy = self._copies.get(key)
            if copy is None:
                return None
            if copy.kept(self._clock.wall_us()).error_ms <= 0:
                self._forget(key)
                return None
            self._copies.move_to_end(key)
            return copy

    def put(self, key: str, copy: LocalCopy, environments: int = 1, born_us: int | None = None) -> None:
        """Keep a copy, unless one of its tags was voided since its fill began.

        Args:
            key: its key.
            copy: the copy.
            environments: the fleet's size, by which renewals are spread.
            born_us: when its fill began, epoch microseconds; `made_us` if None.
        """
        copy = copy._replace(due_us=copy.made_us + self._lasts_ms(copy.windows, environments) * 1000)
        since_us = copy.made_us if born_us is None else born_us
        with self._lock:
            if any(self._voided_us.get(tag, 0) >= since_us for tag in copy.tags):
                return
            self._forget(key)
            if _size(copy) > self._capacity_bytes:
                return
            self._copies[key] = copy
            self._bytes += _size(copy)
            while self._bytes > self._capacity_bytes:
                self._forget(next(iter(self._copies)))

    def postpone(self, key: str, milliseconds: int) -> None:
        """Don't renew a copy for so long, because its renewal has just failed."""
        with self._lock:
            copy = self._copies.get(key)
            if copy is not None:
                self._copies[key] = copy._replace(due_us=self._clock.wall_us() + milliseconds * 1000)

    def void(self, tags: Iterable[str]) -> None:
        """Forget the copies with one of these tags, and refuse those whose fill has begun before now."""
        voided, now_us = set(tags), self._clock.wall_us()
        with self._lock:
            for tag in voided:
                self._voided_us[tag] = now_us
                self._voided_us.move_to_end(tag)
            while len(self._voided_us) > _VOIDED_KEPT:
                self._voided_us.popitem(last=False)
            for key in [key for key, copy in self._copies.items() if voided.intersection(copy.tags)]:
                self._forget(key)

    def _forget(self, key: str) -> None:
        gone = self._copies.pop(key, None)
        if gone is not None:
            self._bytes -= _size(gone)

    def _lasts_ms(self, windows: Windows, environments: int) -> int:
        """The time from a copy to its renewal: on average the freshness times the number of environments."""
        spread_ms = windows.fresh_ms * (2 * self._drawn() * (environments - 1) + _JITTER * self._drawn())
        if spread_ms > windows.error_ms:
            spread_ms = windows.error_ms * (1 - _JITTER * self._drawn())
        return windows.fresh_ms + int(spread_ms)


def _size(copy: LocalCopy) -> int:
    return len(copy.record) + _OVERHEAD_BYTES
