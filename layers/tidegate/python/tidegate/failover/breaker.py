"""The circuit breaker: after a failure nobody asks a store for a while, then one request probes it.

States and their names are Nygard's ("Release It!", 2007): closed (asked), open (not asked), half-open (one
probe under way). Here one failure opens it, because a decision has no time for a second one, and because a
fallback that answers stands behind it.
"""

from __future__ import annotations

import random
from threading import Lock
from typing import Literal

from tidegate.clock import Clock

BreakerState = Literal["closed", "open", "half-open"]
Permission = Literal["ask", "probe", "refuse"]


class Breaker:
    """Decides whether a store may be asked; thread-safe.

    Args:
        clock: where the time comes from.
        first_pause_s: seconds without questions after the first failure; doubled with each failed probe.
        longest_pause_s: the longest pause in seconds. It also bounds how long a store's return goes unnoticed.
        jitter: the share by which a pause is varied, so that a fleet doesn't probe in step.
    """

    def __init__(
        self, clock: Clock, *, first_pause_s: float = 0.2, longest_pause_s: float = 1.0, jitter: float = 0.2
    ) -> None:
        self._clock = clock
        self._first = first_pause_s
        self._longest = longest_pause_s
        self._jitter = jitter
        self._pause = first_pause_s
        self._retry_at = 0.0
        self._state: BreakerState = "closed"
        self._lock = Lock()

    @property
    def state(self) -> BreakerState:
        """The state now."""
        return self._state

    def permission(self) -> Permission:
        """Return whether to ask the store; one caller at a time gets `probe`, and must report back."""
        if self.state == "closed":  # unlocked: a stale read asks one question too many, and harms nothing
            return "ask"
        with self._lock:
            if self._state == "closed":
                return "ask"
            if self._state == "half-open" or self._clock.monotonic() < self._retry_at:
                return "refuse"
            self._state = "half-open"
            return "probe"

    def succeeded(self, permission: Permission) -> None:
        """Report an answer; only a probe's closes the breaker, since older questions may be answered late."""
        if permission != "probe":
            return
        with self._lock:
            self._state = "closed"
            self._pause = self._first

    def hopeful(self) -> None:
        """Let the next question be a probe, because another client had an answer from the store; cheap while closed."""
        if self._state == "open":
            with self._lock:
                self._retry_at = min(self._retry_at, self._clock.monotonic())

    def failed(self, permission: Permission) -> None:
        """Report a failure: the breaker opens, and for longer if a probe failed."""
        with self._lock:
            if permission == "ask" and self._state != "closed":
                return
            if permission == "probe":
                self._pause = min(self._longest, self._pause * 2)
            self._state = "open"
            varied = self._pause * random.uniform(1 - self._jitter, 1)  # noqa: S311  spreads probes, guards nothing
            self._retry_at = self._clock.monotonic() + varied
