"""The memory and the age of this process."""

import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

STARTED = time.monotonic()


@dataclass(frozen=True, slots=True)
class Process:
    """Resident memory in bytes, and seconds since this environment started."""

    rss_bytes: int
    uptime_s: float


def process() -> Process:
    """Measure now."""
    return Process(_rss_bytes(), round(time.monotonic() - STARTED, 3))


def _rss_bytes() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:  # no Linux: the peak is the next best, in bytes on macOS and in kilobytes elsewhere
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return pages * resource.getpagesize()
