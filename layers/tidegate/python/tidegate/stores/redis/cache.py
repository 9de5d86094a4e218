"""The cache's own calls to Redis: settling a lease, voiding tags, and waiting for another request's copy.

The look-up of a copy is part of the admission (see `scripts`).
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha1
from typing import Any, NamedTuple

from tidegate.cache_messages import (
    CacheAnswer,
    CacheLease,
    CacheRequest,
    CacheWrite,
)
from tidegate.redis_driver.faults import unavailable
from tidegate.redis_driver.node import RedisTarget
from tidegate.redis_driver.transport import Transport, transport_to
from tidegate.stores.redis.replies import is_number
from tidegate.stores.redis.scripts import Call, Script, copy_key, stamps_key

SETTLE_COPY = Script.of("limits.lua", "cache_stamps.lua", "cache.lua", "cache_room.lua", "cache_settle.lua")
FORGET = Script.of("cache_forget.lua")
VOID = Script.of("limits.lua", "cache_stamps.lua", "cache_void.lua")
# Longer than any lease lasts: a fill that began before a tag was voided must find the tag's stamp at its end.
STAMPS_KEPT_MS = 3_600_000
# How much longer than Redis' own wait its reply is waited for.
_MARGIN_S = 1.0


class CopyRoom(NamedTuple):
    """How much of Redis' memory copies may take; `cache_room.lua` also bounds it to half of that memory.

    Attributes:
        ledgers: the prefix of the ledgers' keys, if one node has all keys; None: each route has its own ledgers.
        caller_bytes: how many bytes the copies made by one caller's requests may take.
        all_bytes: how many bytes all copies may take.
    """

    ledgers: str | None
    caller_bytes: int
    all_bytes: int

    @classmethod
    def of(cls, namespace: str, *, cluster: bool, caller_bytes: int, all_bytes: int) -> CopyRoom:
        """Return a namespace's room. On a cluster a route's copies and their ledgers lie in one hash slot."""
        return cls(None if cluster else f"tidegate:{{copies:{namespace}}}:b:", caller_bytes, all_bytes)


_NO_ROOM = CopyRoom(None, 0, 0)
# The script's replies, in the words of `Cache-Status`.
_REFUSALS = {2: "caller-full", 3: "full"}


def copy_call(write: CacheWrite, room: CopyRoom = _NO_ROOM) -> Call:
    """Return the call that settles a copy's lease."""
    request, windows = write.request, write.windows
    ledgers = room.ledgers or f"tidegate:{{{request.subject}}}:b:"
    keys = [copy_key(request), _news_key(request, request.token), stamps_key(request.subject)]
    keys += [f"{ledgers}all", f"{ledgers}of", f"{ledgers}most"]
    arguments = [
        request.token,
        int(write.record is not None),
        write.record or b"",
        " ".join(write.tags),
        windows.fresh_ms,
        windows.stale_ms,
        windows.error_ms,
        write.delta_ms,
        write.rest_ms,
        write.pass_ms,
        write.payer,
        room.caller_bytes,
        room.all_bytes,
    ]
    return Call(SETTLE_COPY, keys, arguments, is_number)


def copy_settled(write: CacheWrite, reply: Any) -> bool:
    """Read the reply to `copy_call`: return whether the copy is kept; if it isn't, note why in `write.refusal`.

    An error reply counts as a refusal, too: a copy that Redis doesn't take is no sign that its decisions fail.
    """
    if reply == 1:
        return True
    if write.refusal is not None and reply != 0:
        write.refusal.reason = _REFUSALS.get(reply, "not-taken") if isinstance(reply, int) else "not-taken"
    return False


def forget_call(request: CacheRequest, record: bytes) -> Call:
    """Return the call that deletes a copy that can't be read."""
    return Call(FORGET, [copy_key(request)], [sha1(record, usedforsecurity=False).hexdigest()], is_number)


def void_calls(subjects: Sequence[str], tags: Sequence[str], *, cluster: bool) -> list[Call]:
    """Return the calls that void tags of several routes: one evaluation, or on a cluster one for each hash slot."""
    if not tags:
        return []
    stamps = [stamps_key(subject) for subject in subjects]
    apart = [[key] for key in stamps] if cluster else [stamps]
    return [Call(VOID, keys, [STAMPS_KEPT_MS, *tags], is_number) for keys in apart if keys]


def given_up(request: CacheRequest, answer: CacheAnswer | None) -> list[Call]:
    """Return the calls that give up a lease, if one was granted to a request that is refused after all."""
    return [copy_call(CacheWrite(request, None))] if isinstance(answer, CacheLease) else []


def _news_key(request: CacheRequest, lease: str) -> str:
    """Return the key of what is told to the requests that wait for the end of a lease."""
    return f"{copy_key(request)}:w:{lease}"


class CopyWaiter:
    """Waits until the holder of a lease has settled it: by one command, to which Redis replies at that moment.

    It has connections of its own, since their timeout must be a wait's and not a decision's: one set of them for each
    length of a wait, in whole seconds.

    Args:
        target: where Redis is.
    """

    def __init__(self, target: RedisTarget) -> None:
        self._target = target
        self._transports: dict[int, Transport] = {}

    def wait(self, request: CacheRequest, lease: str, wait_ms: int) -> bool:
        """Wait for the end of a lease; return False if it didn't come in time. Blocks.

        Args:
            request: the request for the copy.
            lease: the token of the lease.
            wait_ms: how long to wait; milliseconds.

        Raises:
            StoreUnavailableError: Redis can't be asked.
        """
        longest_s = -(-wait_ms // 1000)
        if longest_s not in self._transports:
            self._transports[longest_s] = transport_to(self._target._replace(timeout_s=longest_s + _MARGIN_S))
        news = _news_key(request, lease)
        [reply] = self._transports[longest_s].send([("XREAD", "BLOCK", max(1, wait_ms), "STREAMS", news, "0")])
        if isinstance(reply, Exception):
            raise unavailable(reply) from reply
        return reply is not None

    def close(self) -> None:
        """Close its connections; the next wait opens new ones."""
        for transport in self._transports.values():
            transport.close()
