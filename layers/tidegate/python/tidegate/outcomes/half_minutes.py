"""How requests and failures are spread over the environments, measured by sums of squares.

Each environment adds the squares of its counts in a half minute. The sums over all environments show whether requests
failed independently of each other, or one environment caused the failures: functions/rollout/judge/spread.py.
"""

from __future__ import annotations

LENGTH_US = 30_000_000


class HalfMinutes:
    """One environment's current half minute."""

    __slots__ = ("_failed", "_number", "_requests")

    def __init__(self) -> None:
        self._number = self._requests = self._failed = 0

    def after(self, now_us: int, requests: int, failed: int) -> tuple[int, int]:
        """Add the counts since the last call; return by how much the two squares have grown."""
        number = now_us // LENGTH_US
        if number != self._number:
            self._number, self._requests, self._failed = number, 0, 0
        before = self._requests, self._failed
        self._requests += requests
        self._failed += failed
        return self._requests**2 - before[0] ** 2, self._failed**2 - before[1] ** 2
