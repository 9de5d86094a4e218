"""A process's wall clock that another one turns: `time.time` and `time.time_ns` are off by what a file says.

The system's clock can't be turned for one process alone. What reads it by other ways (`datetime.now`) isn't turned, nor
is Redis' own clock; monotonic clocks never are.
"""

from __future__ import annotations

import time
from pathlib import Path

_real_ns = time.time_ns


def install(file: Path) -> None:
    """Read the file at each look at the clock from now on; must come before the contender's imports."""

    def time_ns() -> int:
        return _real_ns() + round(float(file.read_text() or 0) * 1e9)

    time.time_ns = time_ns
    time.time = lambda: time_ns() / 1e9
