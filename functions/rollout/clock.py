"""The time, in one place, so that tests can set it."""

import time


def now_ms() -> int:
    """Return the epoch in milliseconds."""
    return time.time_ns() // 1_000_000


def now_s() -> int:
    """Return the epoch in whole seconds."""
    return int(time.time())


def pause(seconds: float) -> None:
    """Wait for so many seconds."""
    time.sleep(seconds)
