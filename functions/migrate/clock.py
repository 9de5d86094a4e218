"""The time, in one place, so that tests may turn it."""

import time
from typing import Protocol


class Clock(Protocol):
    """What the runner asks of a clock."""

    def wall_s(self) -> float:
        """Tell the epoch's seconds, which all runners share."""

    def monotonic_s(self) -> float:
        """Tell seconds that never go back."""

    def sleep(self, seconds: float) -> None:
        """Let time pass."""


class SystemClock:
    """The machine's."""

    def wall_s(self) -> float:
        """Tell the epoch's seconds."""
        return time.time()

    def monotonic_s(self) -> float:
        """Tell seconds that never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)
