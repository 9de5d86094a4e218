"""A value that is made at its first use, once."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Lazy(Generic[Value]):
    """A value that is made once, at its first use; thread-safe.

    Args:
        make: makes the value. If it raises, so does the call, and the next call tries again.
    """

    def __init__(self, make: Callable[[], Value]) -> None:
        self._make = make
        self._lock = Lock()
        self.made: Value | None = None

    def __call__(self) -> Value:
        """Return the value."""
        if self.made is None:
            with self._lock:
                if self.made is None:
                    self.made = self._make()
        return self.made
