"""The time, in one place, so that tests may turn it."""

import time


def now_s() -> int:
    """Return the epoch in whole seconds."""
    return int(time.time())
