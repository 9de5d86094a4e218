"""Waiting for what must come about: polled, and never for ever."""

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


def eventually(look: Callable[[], Value], *, within_s: float = 10.0, every_s: float = 0.01) -> Value:
    """What `look()` returns once that is true; AssertionError with its last answer when time is up."""
    ends = time.monotonic() + within_s
    while not (seen := look()):
        assert time.monotonic() < ends, f"still {seen!r} after {within_s} s"
        time.sleep(every_s)
    return seen
