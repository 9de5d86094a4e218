"""The deadline of a request: the field that says how long the caller still waits, received and sent.

`Tidegate-Timeout-Ms: 1500` is an RFC 9651 Integer. It is a duration and not a time of day, since clocks differ, as with
`grpc-timeout`. It is the time left when the request is sent, so a server that passes it on subtracts its own time
first. The time in the network isn't subtracted.
"""

from __future__ import annotations

import re
from contextvars import ContextVar

FIELD = b"tidegate-timeout-ms"
LONGEST_MS = 86_400_000

# When the running request's caller stops waiting; seconds of `time.monotonic()`.
current: ContextVar[float | None] = ContextVar("tidegate_deadline", default=None)

_INTEGER = re.compile(r"[0-9]{1,15}", re.ASCII)  # RFC 9651's longest Integer


def parse_ms(text: str | None) -> int | None:
    """Read the field as whole milliseconds, a day at most.

    None if it is missing or isn't a number of at least zero: an invalid field is ignored.
    """
    if text is None or _INTEGER.fullmatch(text.strip(" \t")) is None:
        return None
    return min(int(text), LONGEST_MS)


def format_ms(left_s: float) -> str:
    """Write the time left, rounded down, so that the called server doesn't work longer than the caller waits.

    Args:
        left_s: seconds; below zero counts as zero.
    """
    return str(min(LONGEST_MS, max(0, int(left_s * 1000))))
