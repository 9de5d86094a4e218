"""Hit-for-miss: after a response that can't be shared, requests for its key don't wait for each other for a while.

They run at once, until a response may be kept after all. Source: Varnish, which calls it hit-for-miss. Without it the
requests for such a response run one after the other.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

# A response that can't be shared counts for longer than a failure.
UNSHARED_MS = 60_000
FAILED_MS = 10_000
# Beyond so many keys the oldest is forgotten, and its next requests wait again.
_KEPT = 10_000


def passing_ms(status: int) -> int:
    """Return for how long, in milliseconds, a response of this status is remembered as one that can't be shared."""
    return UNSHARED_MS if status < 400 else FAILED_MS


class Passes:
    """The keys of such responses in one environment; thread-safe, and bounded."""

    def __init__(self) -> None:
        self._until_s: OrderedDict[str, float] = OrderedDict()
        self._lock = Lock()

    def note(self, key: str, until_s: float) -> None:
        """Remember a key until a time of the monotonic clock, in seconds."""
        with self._lock:
            self._until_s[key] = until_s
            self._until_s.move_to_end(key)
            if len(self._until_s) > _KEPT:
                self._until_s.popitem(last=False)

    def has(self, key: str, now_s: float) -> bool:
        """Whether a key is remembered now."""
        until_s = self._until_s.get(key)
        if until_s is None:
            return False
        if until_s <= now_s:
            self.forget(key)
            return False
        return True

    def forget(self, key: str) -> None:
        """Let requests for this key wait again, as a response could be kept."""
        if self._until_s:
            with self._lock:
                self._until_s.pop(key, None)
