"""Short timeouts make faults quick to see; on a busy machine a store that is well may miss one, too."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from tidegate.errors import StoreUnavailableError

Result = TypeVar("Result")


def answered(call: Callable[[], Result], within_s: float = 10) -> Result:
    """Return what the call returns, made again while it only times out; anything else it raises is raised."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            return call()
        except StoreUnavailableError as error:
            if error.kind != "timeout" or time.monotonic() > deadline:
                raise
