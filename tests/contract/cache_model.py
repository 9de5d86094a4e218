"""The cache in plain Python: what every sequence of askers, writers and deletions must be answered.

Redis' scripts are held to it by `test_cache_model`. Which answer a copy's times lead to is the library's own pure
`standing`; what is modelled here is which copy, lease and stamps there are at a moment.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from tidegate.cache.freshness import Kept, standing
from tidegate.cache_messages import (
    CacheAnswer,
    CacheBusy,
    CachedCopy,
    CacheHit,
    CacheLease,
    CachePass,
    CacheRequest,
    CacheStale,
    CacheWrite,
)
from tidegate.stores.redis.cache import STAMPS_KEPT_MS

# So much longer than what bears its tag a stamp is kept.
_STAMPS_LONGER_MS = 60_000


@dataclass(frozen=True)
class _Copy:
    """A copy: as it was written, when its making began (deletions since then void it), and when it was kept."""

    write: CacheWrite
    born_us: int
    made_ms: int

    def times(self, now_ms: int) -> Kept:
        windows = self.write.windows
        fresh_ms = self.made_ms + windows.fresh_ms - now_ms
        return Kept(fresh_ms, fresh_ms + windows.stale_ms, fresh_ms + windows.error_ms, self.write.delta_ms)

    def shown(self, now_ms: int) -> CachedCopy:
        write, times = self.write, self.times(now_ms)
        age_ms = now_ms - self.made_ms
        return CachedCopy(
            write.record or b"", write.tags, age_ms, times.fresh_ms, write.delta_ms, times.stale_ms, times.error_ms
        )


@dataclass(frozen=True)
class _Lease:
    """The right to make a copy, which one asker has until then."""

    request: CacheRequest
    granted_us: int
    until_ms: int


@dataclass
class _Entry:
    """What is kept under one key.

    Attributes:
        resting_ms: until then nobody tries to make a copy again, as making one has failed.
        passing_ms: until then nobody waits for the one who makes a copy, as the last was for its asker alone.
        expires_ms: when all of it is forgotten.
    """

    copy: _Copy | None = None
    lease: _Lease | None = None
    resting_ms: int = 0
    passing_ms: int = 0
    expires_ms: int = 0

    def keep_until(self, expires_ms: int) -> None:
        self.expires_ms = max(self.expires_ms, expires_ms)


@dataclass(frozen=True)
class _Stamp:
    moment_us: int
    expires_ms: int


class _Stamps:
    """When what bears a tag was last deleted, for as long as anything older may be there."""

    def __init__(self) -> None:
        self._by_tag: dict[str, _Stamp] = {}

    def expire(self, now_ms: int) -> None:
        self._by_tag = {tag: stamp for tag, stamp in self._by_tag.items() if stamp.expires_ms > now_ms}

    def delete(self, tag: str, now_us: int) -> None:
        """Void all that bears the tag and began before now."""
        before = self._by_tag.get(tag, _Stamp(0, 0))
        self._by_tag[tag] = _Stamp(now_us, max(before.expires_ms, now_us // 1000 + STAMPS_KEPT_MS))

    def outlive(self, tags: tuple[str, ...], born_us: int, until_ms: int) -> None:
        """Keep the tags' stamps for longer than what bears them.

        A tag without a stamp gets one that is just older: nobody knows what a lost one said, so all before is void.
        """
        for tag in tags:
            stamp = self._by_tag.get(tag, _Stamp(born_us - 1, 0))
            self._by_tag[tag] = replace(stamp, expires_ms=max(stamp.expires_ms, until_ms + _STAMPS_LONGER_MS))

    def void_lease(self, tags: tuple[str, ...], granted_us: int) -> bool:
        """Whether a tag was deleted since; one without a stamp may be a tag that nobody has borne yet."""
        stamps = [self._by_tag.get(tag) for tag in tags]
        return any(stamp is not None and stamp.moment_us >= granted_us for stamp in stamps)

    def void_copy(self, tags: tuple[str, ...], born_us: int) -> bool:
        """The same of a copy, whose tags have had stamps: one that is gone was lost, and with it what it said."""
        return any(tag not in self._by_tag for tag in tags) or self.void_lease(tags, born_us)


@dataclass
class CacheModel:
    """Entries by key, and the stamps of tags."""

    entries: dict[str, _Entry] = field(default_factory=dict)
    stamps: _Stamps = field(default_factory=_Stamps)

    def ask(self, request: CacheRequest, now_us: int) -> CacheAnswer:
        """What an asker is answered; a lease is granted with it."""
        now_ms = now_us // 1000
        entry = self._entry(request.key, now_ms)
        copy = self._usable(entry.copy, now_ms)
        shown = None if copy is None else copy.shown(now_ms)
        passing = entry.passing_ms > now_ms
        found = standing(
            None if copy is None else copy.times(now_ms),
            drawn=request.drawn,
            leased=self._is_anothers(entry.lease, request, now_ms),
            resting=entry.resting_ms > now_ms,
            passing=passing,
        )
        match found:
            case "lease":
                self._grant(entry, request, now_us)
                return CacheLease(shown, passing)
            case "busy":
                return CacheBusy(entry.lease.request.token, shown)
            case "pass":
                return CachePass(shown)
            case "hit":
                return CacheHit(shown)
            case "stale":
                return CacheStale(shown)

    def settle(self, write: CacheWrite, now_us: int) -> bool:
        """End a lease, with a copy or without; False where it isn't the writer's, or what he made is void."""
        now_ms = now_us // 1000
        entry = self._entry(write.request.key, now_ms)
        lease = entry.lease
        if lease is None or lease.request.token != write.request.token:
            return False
        entry.lease = None
        if write.record is None:
            self._give_up(entry, write, now_ms)
            return True
        if self.stamps.void_lease(write.tags, lease.granted_us):
            return False
        kept_until_ms = now_ms + write.windows.kept_ms
        self.entries[write.request.key] = _Entry(_Copy(write, lease.granted_us, now_ms), expires_ms=kept_until_ms)
        self.stamps.outlive(write.tags, lease.granted_us, kept_until_ms)
        return True

    def void(self, tags: list[str], now_us: int) -> None:
        """Delete what bears one of the tags."""
        self.stamps.expire(now_us // 1000)
        for tag in tags:
            self.stamps.delete(tag, now_us)

    def holder(self, key: str) -> str | None:
        """The token of whoever was last granted the lease, and hasn't settled it."""
        entry = self.entries.get(key)
        return None if entry is None or entry.lease is None else entry.lease.request.token

    def _entry(self, key: str, now_ms: int) -> _Entry:
        self.stamps.expire(now_ms)
        if key not in self.entries or self.entries[key].expires_ms <= now_ms:
            self.entries[key] = _Entry()
        return self.entries[key]

    def _usable(self, copy: _Copy | None, now_ms: int) -> _Copy | None:
        if copy is None or self.stamps.void_copy(copy.write.tags, copy.born_us) or copy.times(now_ms).error_ms <= 0:
            return None
        return copy

    def _is_anothers(self, lease: _Lease | None, request: CacheRequest, now_ms: int) -> bool:
        """Whether somebody else makes a copy that will be valid."""
        if lease is None or lease.request.token == request.token or lease.until_ms <= now_ms:
            return False
        return not self.stamps.void_lease(lease.request.tags, lease.granted_us)

    def _grant(self, entry: _Entry, request: CacheRequest, now_us: int) -> None:
        until_ms = now_us // 1000 + request.hold_ms
        entry.lease = _Lease(request, now_us, until_ms)
        entry.keep_until(until_ms)
        self.stamps.outlive(request.tags, now_us, until_ms)

    def _give_up(self, entry: _Entry, write: CacheWrite, now_ms: int) -> None:
        if entry.copy is not None and write.rest_ms:
            entry.resting_ms = now_ms + write.rest_ms
        if write.pass_ms:
            entry.passing_ms = now_ms + write.pass_ms
            entry.keep_until(entry.passing_ms)


def by(request: CacheRequest, token: str, drawn: float = 0.0) -> CacheRequest:
    """The same wish, by another asker."""
    return request._replace(token=token, drawn=drawn)
