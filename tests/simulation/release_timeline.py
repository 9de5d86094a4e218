"""A simulated clock, and the processes that live by it: the earliest event is next, whosever it is."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Generator
from itertools import count

# A process pauses for the seconds that it yields.
Process = Generator[float, None, None]
_BEGINS_S = 1_800_000_000.0


class Timeline:
    """The time, in epoch seconds, and what happens later."""

    def __init__(self) -> None:
        self._now_s = _BEGINS_S
        self._order = count()
        self._later: list[tuple[float, int, Callable[[], None]]] = []

    def time(self) -> float:
        return self._now_s

    def time_ns(self) -> int:
        return int(self._now_s * 1e9)

    def sleep(self, seconds: float) -> None:
        """Pass time within an event: what is due meanwhile happens after it, as in another environment."""
        self._now_s += seconds

    def at(self, seconds: float, event: Callable[[], None]) -> None:
        """Have an event happen in so many seconds."""
        heapq.heappush(self._later, (self._now_s + seconds, next(self._order), event))

    def start(self, process: Process, after_s: float = 0) -> None:
        """Let a process run, from pause to pause."""

        def go_on() -> None:
            pause_s = next(process, None)
            if pause_s is not None:
                self.at(pause_s, go_on)

        self.at(after_s, go_on)

    def run(self, until: Callable[[], bool]) -> None:
        """Let things happen until something holds, or nothing is left to happen."""
        while self._later and not until():
            due_s, _, event = heapq.heappop(self._later)
            self._now_s = max(self._now_s, due_s)
            event()
