"""The bound of the queue over all callers together.

SQS counts its messages itself, also those whose senders have died. It is asked every few seconds, and sooner once this
environment has taken a tenth of the room. What other environments accept meanwhile isn't known, so the bound may be
exceeded by what the fleet accepts in a few seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from tidegate.clock import Clock
from tidegate.errors import StoreUnavailableError
from tidegate.telemetry import logger

REMEMBERS_S = 5.0
REMEMBERS_FULL_S = 1.0
# SQS is asked again once a tenth of the room is taken, so that one environment alone can't exceed the bound.
_PART = 10


class QueueRoom:
    """Whether there is room for another request; thread-safe.

    Args:
        depth: returns how many messages there are.
        clock: gives the time.
        bound: how many there may be.
    """

    def __init__(self, depth: Callable[[], int], clock: Clock, bound: int) -> None:
        self._depth = depth
        self._clock = clock
        self._bound = bound
        self._lock = Lock()
        self._asked_s = float("-inf")
        self._room = 0
        self._taken = 0

    def is_there(self) -> bool:
        """Whether there is room. If SQS doesn't answer, there is: sending will show whether SQS is down."""
        with self._lock:
            if self._is_known():
                return self._taken < self._room
            self._asked_s, self._taken = self._clock.monotonic(), 0
            self._room = self._bound
        try:
            room = self._bound - self._depth()
        except StoreUnavailableError as error:
            logger().warning("the queue's length is not known, nor bounded", extra={"detail": str(error)})
            return True
        with self._lock:
            self._room = room
            return self._taken < self._room

    def take(self) -> None:
        """Count an accepted request."""
        with self._lock:
            self._taken += 1

    def _is_known(self) -> bool:
        age_s = self._clock.monotonic() - self._asked_s
        if self._room <= 0:
            return age_s < REMEMBERS_FULL_S
        return age_s < REMEMBERS_S and self._taken < max(1, self._room // _PART)
