"""Cached answers in Redis: how a lease is settled, tags are voided, and whoever waits for a copy waits.

The copy or the lease comes with the admission (see `redis_scripts`); here is what goes beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidegate.caching.question import (
    CacheAnswer,
    CacheBusy,
    CachedCopy,
    CacheHit,
    CacheLease,
    CacheRequest,
    CacheStale,
    CacheWrite,
)
from tidegate.stores.connection import RedisTarget, Transport, transport_to
from tidegate.stores.redis_faults import unavailable
from tidegate.stores.redis_scripts import Call, Script, copy_key, stamp_prefix

SETTLE_COPY = Script.of("limits.lua", "cache.lua", "cache_settle.lua")
VOID = Script.of("limits.lua", "cache_void.lua")
# Longer than any lease stands: whoever began before a tag was voided must find its stamp when he ends.
STAMPS_KEPT_MS = 3_600_000
# How much longer than Redis itself its answer is waited for.
_MARGIN_S = 1.0


def copy_call(write: CacheWrite) -> Call:
    """Settle a copy's lease."""
    request, windows = write.request, write.windows
    arguments = [
        request.token,
        stamp_prefix(request.subject),
        int(write.record is not None),
        write.record or b"",
        " ".join(write.tags),
        windows.fresh_ms,
        windows.stale_ms,
        windows.error_ms,
        write.delta_ms,
        write.rest_ms,
    ]
    return Call(SETTLE_COPY, [copy_key(request)], arguments)


def void_calls(subjects: Sequence[str], tags: Sequence[str], *, cluster: bool) -> list[Call]:
    """Void tags of several routes' copies: in one evaluation, or in one for each hash slot."""
    stamps = [[stamp_prefix(subject) + tag for tag in tags] for subject in subjects]
    apart = stamps if cluster else [[key for keys in stamps for key in keys]]
    return [Call(VOID, keys, [STAMPS_KEPT_MS]) for keys in apart]


def given_up(request: CacheRequest, answer: CacheAnswer | None) -> list[Call]:
    """Give up a lease that was granted to a request which is refused after all."""
    return [copy_call(CacheWrite(request, None))] if isinstance(answer, CacheLease) else []


def read_copy(told: Sequence[Any]) -> CacheAnswer:
    """Read the copy's part of the answer."""
    state, record, tags, age_ms, fresh_ms, delta_ms, lease = told
    copy = CachedCopy(record, tuple(tags.decode().split()), age_ms, fresh_ms, delta_ms) if record else None
    match state:
        case b"hit" if copy is not None:
            return CacheHit(copy)
        case b"stale" if copy is not None:
            return CacheStale(copy)
        case b"busy":
            return CacheBusy(lease.decode(), copy)
        case _:
            return CacheLease(copy)


class CopyWaiter:
    """Waits until the holder of a lease has settled it: one command, which Redis answers when there is news.

    It has connections of its own, whose timeouts are a wait's and not a decision's: for each whole second of waiting
    some of their own.

    Args:
        target: where Redis is.
    """

    def __init__(self, target: RedisTarget) -> None:
        self._target = target
        self._transports: dict[int, Transport] = {}

    def wait(self, request: CacheRequest, lease: str, wait_ms: int) -> bool:
        """Wait for the end of a lease; False if it didn't come in time. Blocks.

        Raises:
            StoreUnavailableError: Redis can't be asked.
        """
        longest_s = -(-wait_ms // 1000)
        if longest_s not in self._transports:
            self._transports[longest_s] = transport_to(self._target._replace(timeout_s=longest_s + _MARGIN_S))
        news = f"{copy_key(request)}:w:{lease}"
        [reply] = self._transports[longest_s].send([("XREAD", "BLOCK", max(1, wait_ms), "STREAMS", news, "0")])
        if isinstance(reply, Exception):
            raise unavailable(reply) from reply
        return reply is not None

    def close(self) -> None:
        """Close its connections; the next wait opens new ones."""
        for transport in self._transports.values():
            transport.close()
