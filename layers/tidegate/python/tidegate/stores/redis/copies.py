"""A copy, or the lease to make one, read from the reply of `admit.lua`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidegate.cache_messages import (
    CacheAnswer,
    CacheBusy,
    CachedCopy,
    CacheHit,
    CacheLease,
    CachePass,
    CacheStale,
)


def read_copy(fields: Sequence[Any]) -> CacheAnswer:
    """Read the copy's part of the reply."""
    state, record, tags, age_ms, fresh_ms, stale_ms, error_ms, delta_ms, lease = fields
    copy = None
    if record:
        named = tuple(tags.decode("latin-1").split())
        copy = CachedCopy(record, named, age_ms, fresh_ms, delta_ms, stale_ms, error_ms)
    match state:
        case b"hit" if copy is not None:
            return CacheHit(copy)
        case b"stale" if copy is not None:
            return CacheStale(copy)
        case b"busy":
            return CacheBusy(lease.decode("latin-1"), copy)
        case b"pass":
            return CachePass(copy)
        case _:
            return CacheLease(copy, lease == b"pass")
