"""Passing a caller's deadline and criticality on to the servers that are called for it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tidegate import criticality, deadline


@contextmanager
def passing_on(headers: Mapping[str, str]) -> Iterator[None]:
    """Give requests within the block the deadline and criticality of the request that is being served.

    It is for servers that Tidegate doesn't guard. A field that the request doesn't have changes nothing.

    Args:
        headers: the request's fields, by lower-case names, as in Starlette and httpx.
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
