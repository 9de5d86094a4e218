"""Requests that time out on Lambda: each is counted just before, since Lambda then kills the environment.

At its function's timeout Lambda kills an environment in the middle of a request, so that it can't count any more.
Therefore one thread watches the time that the running request has left. It looks twice a second, then sleeps exactly
until the request's end, and costs a request two assignments. It can't run while a handler holds the interpreter's lock
until the end, as a C extension may.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Lock, Thread

from tidegate.clock import Clock

# Time for sending the count. A request that has so little time left is as good as timed out.
MARGIN_S = 0.25
_LOOK_EVERY_S = 0.5


class Overdue:
    """Watches the one request that runs.

    Args:
        clock: where the time comes from.
        tell: called on the watching thread when a request's time is over.
    """

    def __init__(self, clock: Clock, tell: Callable[[], None]) -> None:
        self._clock = clock
        self._tell = tell
        self._ends_at: float | None = None
        self._timed_out = False
        self._lock = Lock()
        self._thread: Thread | None = None
        self._closed = Event()

    def began(self, left_s: float) -> None:
        """Watch a request that may run for so many seconds."""
        self._timed_out, self._ends_at = False, self._clock.monotonic() + left_s - MARGIN_S
        if self._thread is None:
            self._closed = Event()
            self._thread = Thread(target=self._watch, args=(self._closed,), name="tidegate-overdue", daemon=True)
            self._thread.start()

    def ended(self) -> bool:
        """Stop watching the request; return whether it was counted as timed out."""
        with self._lock:
            self._ends_at = None
            return self._timed_out

    def close(self) -> None:
        """End the thread; the next request starts another one."""
        self._thread = None
        self._closed.set()

    def _watch(self, closed: Event) -> None:
        while not closed.wait(self._wait_s()):
            if self._is_over():
                self._tell()

    def _wait_s(self) -> float:
        ends_at = self._ends_at
        if ends_at is None:
            return _LOOK_EVERY_S
        return min(_LOOK_EVERY_S, max(0.0, ends_at - self._clock.monotonic()))

    def _is_over(self) -> bool:
        with self._lock:
            if self._ends_at is None or self._clock.monotonic() < self._ends_at:
                return False
            self._ends_at, self._timed_out = None, True
            return True
