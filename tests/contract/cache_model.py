"""The cache in plain Python: what every sequence of askers, writers and deletions must be answered."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from tidegate.caching.freshness import Kept, standing
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
from tidegate.stores.redis_cache import STAMPS_KEPT_MS

_STAMPS_LONGER_MS = 60_000


@dataclass(frozen=True)
class _Copy:
    write: CacheWrite
    born_us: int
    made_ms: int


@dataclass(frozen=True)
class _Lease:
    request: CacheRequest
    granted_us: int
    until_ms: int


@dataclass(frozen=True)
class _Stamp:
    moment_us: int
    expires_ms: int


@dataclass
class CacheModel:
    """Copies and leases by key; each tag's stamp; until when a key is kept at all.

    A tag without a stamp gets one that is just older than who needs it: what the stamp said that is gone, nobody
    knows, so all that is older is void.
    """

    copies: dict[str, _Copy] = field(default_factory=dict)
    leases: dict[str, _Lease] = field(default_factory=dict)
    resting_ms: dict[str, int] = field(default_factory=dict)
    stamps: dict[str, _Stamp] = field(default_factory=dict)
    expires_ms: dict[str, int] = field(default_factory=dict)

    def ask(self, request: CacheRequest, now_us: int) -> CacheAnswer:
        now_ms, key = now_us // 1000, request.key
        self._expire(key, now_ms)
        copy, lease = self._usable(key, now_ms), self.leases.get(key)
        others = lease is not None and lease.request.token != request.token and lease.until_ms > now_ms
        leased = others and not self._void(lease.request.tags, lease.granted_us, without_stamp=False)
        kept = None if copy is None else _times(copy, now_ms)
        shown = None if copy is None or kept is None else _shown(copy, kept, now_ms)
        resting = self.resting_ms.get(key, 0) > now_ms
        found = standing(kept, drawn=request.drawn, leased=leased, resting=resting)
        if found == "lease":
            self.leases[key] = _Lease(request, now_us, now_ms + request.hold_ms)
            self.expires_ms[key] = max(self.expires_ms.get(key, 0), now_ms + request.hold_ms)
            self._keep_stamps(request.tags, now_us, now_ms + request.hold_ms)
            return CacheLease(shown)
        if found == "busy":
            return CacheBusy(lease.request.token, shown)
        return CacheHit(shown) if found == "hit" else CacheStale(shown)

    def settle(self, write: CacheWrite, now_us: int) -> bool:
        now_ms, key = now_us // 1000, write.request.key
        self._expire(key, now_ms)
        lease = self.leases.get(key)
        if lease is None or lease.request.token != write.request.token:
            return False
        del self.leases[key]
        if write.record is None:
            if key in self.copies and write.rest_ms:
                self.resting_ms[key] = now_ms + write.rest_ms
            return True
        if self._void(write.tags, lease.granted_us, without_stamp=False):
            return False
        self.copies[key] = _Copy(write, lease.granted_us, now_ms)
        self.resting_ms.pop(key, None)
        self.expires_ms[key] = now_ms + write.windows.kept_ms
        self._keep_stamps(write.tags, lease.granted_us, self.expires_ms[key])
        return True

    def void(self, tags: list[str], now_us: int) -> None:
        self._expire("", now_us // 1000)
        for tag in tags:
            before = self.stamps.get(tag, _Stamp(0, 0))
            self.stamps[tag] = _Stamp(now_us, max(before.expires_ms, now_us // 1000 + STAMPS_KEPT_MS))

    def _keep_stamps(self, tags: tuple[str, ...], born_us: int, until_ms: int) -> None:
        for tag in tags:
            stamp = self.stamps.get(tag, _Stamp(born_us - 1, 0))
            self.stamps[tag] = replace(stamp, expires_ms=max(stamp.expires_ms, until_ms + _STAMPS_LONGER_MS))

    def _void(self, tags: tuple[str, ...], born_us: int, *, without_stamp: bool) -> bool:
        stamps = [self.stamps.get(tag) for tag in tags]
        return any(without_stamp if stamp is None else stamp.moment_us >= born_us for stamp in stamps)

    def _usable(self, key: str, now_ms: int) -> _Copy | None:
        copy = self.copies.get(key)
        if (
            copy is None
            or self._void(copy.write.tags, copy.born_us, without_stamp=True)
            or _times(copy, now_ms).error_ms <= 0
        ):
            return None
        return copy

    def _expire(self, key: str, now_ms: int) -> None:
        self.stamps = {tag: stamp for tag, stamp in self.stamps.items() if stamp.expires_ms > now_ms}
        if self.expires_ms.get(key, 0) <= now_ms:
            for kept in (self.copies, self.leases, self.resting_ms, self.expires_ms):
                kept.pop(key, None)


def _times(copy: _Copy, now_ms: int) -> Kept:
    windows = copy.write.windows
    fresh_ms = copy.made_ms + windows.fresh_ms - now_ms
    return Kept(fresh_ms, fresh_ms + windows.stale_ms, fresh_ms + windows.error_ms, copy.write.delta_ms)


def _shown(copy: _Copy, kept: Kept, now_ms: int) -> CachedCopy:
    write = copy.write
    return CachedCopy(write.record or b"", write.tags, now_ms - copy.made_ms, kept.fresh_ms, write.delta_ms)


def by(request: CacheRequest, token: str, drawn: float = 0.0) -> CacheRequest:
    """The same wish, by another asker."""
    return request._replace(token=token, drawn=drawn)
