"""The cache's part of the one question and its answer: plain frozen data."""

from __future__ import annotations

from typing import NamedTuple

from tidegate.caching.cache import Windows


class CacheRequest(NamedTuple):
    """The wish for a copy of an answer, or for the lease to make it.

    Attributes:
        key: digest of all that may make it another answer (see `key`).
        subject: whose state it is: the route's. Copies and the stamps of their tags lie together.
        tags: digests of the tags that are known beforehand.
        token: unique for this request; what is written under a lease is fenced by it.
        hold_ms: how long the lease stands if its holder is never heard of again.
        drawn: how many times the making's duration a renewal begins early (see `freshness.draw`).
    """

    key: str
    subject: str
    tags: tuple[str, ...]
    token: str
    hold_ms: int
    drawn: float = 0.0


class CachedCopy(NamedTuple):
    """A copy as a store gives it.

    Attributes:
        record: the answer (see `record.StoredResponse`).
        tags: digests of its tags.
        age_ms: how old it is.
        fresh_ms: for how long it is fresh; below 0: since when it isn't.
        delta_ms: what making it took.
    """

    record: bytes
    tags: tuple[str, ...]
    age_ms: int
    fresh_ms: int
    delta_ms: int


class CacheHit(NamedTuple):
    """A fresh copy."""

    copy: CachedCopy


class CacheStale(NamedTuple):
    """A copy that is past its freshness: somebody makes a new one, or making one has just failed."""

    copy: CachedCopy


class CacheLease(NamedTuple):
    """The asker makes the new one.

    Attributes:
        copy: what may be given if he fails, or while another invocation makes it.
    """

    copy: CachedCopy | None = None


class CacheBusy(NamedTuple):
    """Somebody else makes it.

    Attributes:
        lease: the token of who does.
        copy: what may be given if making it fails.
    """

    lease: str
    copy: CachedCopy | None = None


CacheAnswer = CacheHit | CacheStale | CacheLease | CacheBusy


class CacheWrite(NamedTuple):
    """What a lease's holder leaves.

    Attributes:
        request: whose lease it was.
        record: the new copy; None: there is none.
        tags: digests of its tags.
        windows: for how long it may be used.
        delta_ms: what making it took.
        rest_ms: for how long nobody is to try again while there is an old copy, where there is no new one.
    """

    request: CacheRequest
    record: bytes | None
    tags: tuple[str, ...] = ()
    windows: Windows = Windows(0)
    delta_ms: int = 0
    rest_ms: int = 0
