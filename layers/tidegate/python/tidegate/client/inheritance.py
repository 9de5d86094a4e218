"""What a server passes on to what it calls: its caller's deadline and criticality."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tidegate import criticality, deadline


@contextmanager
def passing_on(headers: Mapping[str, str]) -> Iterator[None]:
    """Let requests that are sent within bear the deadline and criticality of the request that is being served.

    For servers that Tidegate doesn't guard; what a request doesn't say stays as it was.

    Args:
        headers: the request's fields, found by lower-case names, as Starlette's and httpx's are.
    """
    left_ms = deadline.parse_ms(headers.get(deadline.FIELD.decode()))
    level = criticality.parse(headers.get(criticality.FIELD.decode()))
    until = deadline.current.get() if left_ms is None else time.monotonic() + left_ms / 1000
    deadlines, levels = deadline.current.set(until), criticality.current.set(level or criticality.current.get())
    try:
        yield
    finally:
        criticality.current.reset(levels)
        deadline.current.reset(deadlines)
