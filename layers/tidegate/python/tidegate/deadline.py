"""How long the caller still waits for an answer: the request field that says it, in both directions.

`Tidegate-Timeout-Ms: 1500` is an RFC 9651 Integer, and a duration rather than a time of day, since clocks differ
(as `grpc-timeout` is). It is what is left when the request is sent, so a server that passes it on takes its own time
off first. The way through the network isn't in it.
"""

from __future__ import annotations

import re
from contextvars import ContextVar

FIELD = b"tidegate-timeout-ms"
LONGEST_MS = 86_400_000

# When the caller of the request that is being served stops waiting; seconds of `time.monotonic()`.
current: ContextVar[float | None] = ContextVar("tidegate_deadline", default=None)

_INTEGER = re.compile(r"[0-9]{1,15}", re.ASCII)  # RFC 9651's longest Integer


def parse_ms(text: str | None) -> int | None:
    """Read the field as whole milliseconds, a day at most.

    None if it is missing or isn't a number of at least zero: a field that isn't valid is ignored.
    """
    if text is None or _INTEGER.fullmatch(text.strip(" \t")) is None:
        return None
    return min(int(text), LONGEST_MS)


def format_ms(left_s: float) -> str:
    """Write what is left, rounded down, so that nobody works longer than the caller waits.

    Args:
        left_s: seconds; below zero is zero.
    """
    return str(min(LONGEST_MS, max(0, int(left_s * 1000))))
