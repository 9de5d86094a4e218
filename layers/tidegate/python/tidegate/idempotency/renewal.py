"""How long a claim stands, and who renews it: decided here and nowhere else.

On Lambda an invocation's end is known beforehand: its claim is held until then and a margin, and needs no renewal,
so nothing runs beside the handler or after its answer. On a server nothing bounds a handler, and nothing does on
Lambda Managed Instances, which end no handler at its function's timeout and freeze none. There a claim is held
for a short time, so that what a crashed server left is soon continued, and is renewed at every third of it while
its handler runs.

Renewals come from threads of their own: a `def` handler that blocks its thread, and even an `async` one that blocks
the event loop, keeps its claim. Two renewals may fail before a third is too late. The threads end when no claim
has been held for the time between two renewals.
"""

from __future__ import annotations

import os
import time
from collections import deque
from threading import Lock, Semaphore, Thread
from typing import Any, Protocol

from tidegate.runtime import on_managed_instances

# No environment takes over while the holder may live by its own clock: two clocks that are each within 5 s of the
# truth are up to 10 s apart.
SKEW_MARGIN_MS = 10_000
HOLD_ON_SERVER_MS = 15_000
RENEWED_EVERY_MS = HOLD_ON_SERVER_MS // 3
_RENEWALS_AT_ONCE = 8


def is_bounded(context: Any) -> bool:
    """Whether the holder's end is known beforehand: `context` is of an invocation that Lambda ends at its timeout."""
    return hasattr(context, "get_remaining_time_in_millis") and not on_managed_instances(os.environ)


def hold_ms(context: Any) -> int:
    """Return the milliseconds for which a claim is held from now on."""
    stands_ms = int(context.get_remaining_time_in_millis()) if is_bounded(context) else HOLD_ON_SERVER_MS
    return stands_ms + SKEW_MARGIN_MS


class Renewable(Protocol):
    """A claim that is held."""

    @property
    def ended(self) -> bool:
        """Whether there is nothing to renew any more."""

    def live_on(self) -> bool:
        """Renew it; blocking. False if there is nothing to renew any more."""


class Renewer:
    """Renews an environment's claims; thread-safe. Nothing runs until the first one is held."""

    def __init__(self) -> None:
        # All are renewed at the same interval, so they fall due in the order in which they came.
        self._due: deque[tuple[float, Renewable]] = deque()
        self._lock = Lock()
        self._free = Semaphore(_RENEWALS_AT_ONCE)
        self._runs = False

    def keep(self, claim: Renewable) -> None:
        """Renew a claim until it says that it has ended."""
        with self._lock:
            self._due.append((time.monotonic() + RENEWED_EVERY_MS / 1000, claim))
            if not self._runs:
                self._runs = True
                Thread(target=self._run, name="tidegate-renewer", daemon=True).start()

    def _run(self) -> None:
        while (due := self._next()) is not None:
            at_s, claim = due
            time.sleep(max(0.0, at_s - time.monotonic()))
            if not claim.ended:
                self._free.acquire()
                # Not a pool's: its threads would keep a process from ending while a store hangs.
                Thread(target=self._renew, args=(claim,), name="tidegate-renewal", daemon=True).start()

    def _next(self) -> tuple[float, Renewable] | None:
        with self._lock:
            if self._due:
                return self._due.popleft()
            self._runs = False
            return None

    def _renew(self, claim: Renewable) -> None:
        try:
            if claim.live_on():
                self.keep(claim)
        finally:
            self._free.release()
