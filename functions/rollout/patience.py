"""The bound of a state's waits: a time, or before that a person's request to abort."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple


class StoppedError(Exception):
    """A person has asked to stop; the message is the reason."""


class Patience(NamedTuple):
    """Bounds a state's waiting.

    Attributes:
        until: the end of the wait, in seconds of the monotonic clock.
        wish: returns a reason to stop at once; None if there is none.
    """

    until: float
    wish: Callable[[], str | None] = lambda: None

    @classmethod
    def of(cls, seconds: float, wish: Callable[[], str | None] = lambda: None) -> Patience:
        """Wait for so many seconds from now."""
        return cls(time.monotonic() + seconds, wish)

    @property
    def left_s(self) -> float:
        """The seconds that are left; 0 at the end."""
        return max(0.0, self.until - time.monotonic())

    def check(self) -> None:
        """Check whether to stop at once.

        Raises:
            StoppedError: a person has asked for it.
        """
        if reason := self.wish():
            raise StoppedError(reason)
