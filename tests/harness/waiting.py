"""Waiting for what must come about: polled, and never for ever."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")
_IN_THE_BACKGROUND = ("tidegate-warm", "tidegate-overrides")  # in the order in which the one starts the other


def eventually(look: Callable[[], Value], *, within_s: float = 30.0, every_s: float = 0.01) -> Value:
    """What `look()` returns once that is true; AssertionError with its last answer when time is up."""
    ends = time.monotonic() + within_s
    while not (seen := look()):
        assert time.monotonic() < ends, f"still {seen!r} after {within_s} s"
        time.sleep(every_s)
    return seen


def all_made() -> None:
    """Wait until what environments make when their first answer is out is made."""
    for name in _IN_THE_BACKGROUND:
        for thread in threading.enumerate():
            if thread.name == name:
                thread.join()
