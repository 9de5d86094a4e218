"""Questions that fail although the store is well: a key of another type, an unreadable value, a bug.

Only such a question goes on to the next store; the breaker stays closed for all others. Each kind is logged once a
minute at most, because the same request tends to fail again.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import TypeVar

from tidegate.clock import Clock
from tidegate.errors import StoreUnavailableError
from tidegate.telemetry import logger

Result = TypeVar("Result")

_LOGGED_EVERY_S = 60.0
_MOST_KINDS = 100


class Misfits:
    """Tells such questions from a store's own faults.

    Args:
        clock: paces what is logged.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._logged_at: dict[tuple[str, str], float] = {}

    def ask(self, store: str, call: Callable[[], Result]) -> Result:
        """Make a call to a store.

        Raises:
            StoreUnavailableError: the store's own; or `unreadable`, in place of an exception that no store may raise.
        """
        try:
            return call()
        except Exception as error:
            raise self.told(store, error) from error

    def told(self, store: str, error: Exception) -> StoreUnavailableError:
        """Return what a store raised as the store's fault; log it, if it belongs to this question alone."""
        if isinstance(error, StoreUnavailableError):
            if not error.of_the_store:
                self._log(store, error.kind, error)
            return error
        self._log(store, type(error).__name__, error)
        return StoreUnavailableError(store, "unreadable", repr(error)[:200])

    def _log(self, store: str, kind: str, error: Exception) -> None:
        now = self._clock.monotonic()
        if now - self._logged_at.get((store, kind), -inf) < _LOGGED_EVERY_S or len(self._logged_at) > _MOST_KINDS:
            return
        self._logged_at[store, kind] = now
        extra = {"store": store, "fault": kind, "detail": str(error)[:200]}
        logger().warning("question not answered", extra=extra, exc_info=not isinstance(error, StoreUnavailableError))
