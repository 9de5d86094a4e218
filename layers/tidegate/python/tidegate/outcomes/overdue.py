"""Who is killed can't say so: a request whose time is as good as over is counted as timed out before.

Lambda kills an environment at its function's timeout, in the middle of a request, so one thread watches for how long
it may still run. It looks twice a second, sleeps exactly to the end that it sees, and costs a request two assignments.
A handler that holds the interpreter's lock to the end (a C extension that never releases it) can't be seen.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Lock, Thread

from tidegate.clock import Clock

# What is left for sending the count; nobody waits for a request that has so little time.
MARGIN_S = 0.25
_LOOK_EVERY_S = 0.5


class Overdue:
    """Watches the one request that runs.

    Args:
        clock: where the time comes from.
        tell: called on the watching thread when the time is over.
    """

    def __init__(self, clock: Clock, tell: Callable[[], None]) -> None:
        self._clock = clock
        self._tell = tell
        self._ends_at: float | None = None
        self._told = False
        self._lock = Lock()
        self._thread: Thread | None = None
        self._closed = Event()

    def began(self, left_s: float) -> None:
        """Watch a request that may run for so long."""
        self._told, self._ends_at = False, self._clock.monotonic() + left_s - MARGIN_S
        if self._thread is None:
            self._closed = Event()
            self._thread = Thread(target=self._watch, args=(self._closed,), name="tidegate-overdue", daemon=True)
            self._thread.start()

    def ended(self) -> bool:
        """Watch it no more; return whether it was told as timed out."""
        with self._lock:
            self._ends_at = None
            return self._told

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
            self._ends_at, self._told = None, True
            return True
