"""The cache's part of a question and its answer: plain frozen data."""

from __future__ import annotations

from typing import NamedTuple


class Windows(NamedTuple):
    """For how long a copy may be used, in milliseconds.

    Attributes:
        fresh_ms: the time for which it is fresh.
        stale_ms: the time after that in which it is given while one request makes a new copy
            (`stale-while-revalidate`).
        error_ms: the time after the fresh one in which it is given if the route fails (`stale-if-error`) or Redis is
            away; never less than `stale_ms`.
    """

    fresh_ms: int
    stale_ms: int = 0
    error_ms: int = 0

    @property
    def kept_ms(self) -> int:
        """For how long it is kept in all."""
        return self.fresh_ms + self.error_ms

    def capped(self, fresh_ms: int) -> Windows:
        """Return these windows with at most so long a freshness."""
        return self._replace(fresh_ms=min(self.fresh_ms, fresh_ms))


class CacheRequest(NamedTuple):
    """The wish for a copy, or for the lease to make it.

    Attributes:
        key: digest of everything on which the response may depend (see `cache.key`).
        subject: the route's subject, under which copies and the stamps of their tags are kept together.
        tags: digests of the tags that are known beforehand.
        token: unique for this request; writes under a lease are fenced by it.
        hold_ms: after how many milliseconds the lease ends if its holder is silent.
        drawn: how early a renewal begins, in multiples of a fill's duration (see `freshness.draw`).
    """

    key: str
    subject: str
    tags: tuple[str, ...]
    token: str
    hold_ms: int
    drawn: float = 0.0


class CachedCopy(NamedTuple):
    """A copy from a store; durations are milliseconds from now.

    Attributes:
        record: the response (see `web.stored_response.StoredResponse`).
        tags: digests of its tags.
        age_ms: how old it is.
        fresh_ms: for how long it is still fresh; below 0 it is stale.
        delta_ms: how long its fill took.
        stale_ms: for how long it may still be given while a new copy is made.
        error_ms: for how long it may still be given if that fails.
    """

    record: bytes
    tags: tuple[str, ...]
    age_ms: int
    fresh_ms: int
    delta_ms: int
    stale_ms: int = 0
    error_ms: int = 0

    @property
    def windows(self) -> Windows:
        """The windows from its making on, which its own response may have made shorter than the route's."""
        fresh_ms = self.fresh_ms
        return Windows(self.age_ms + fresh_ms, max(0, self.stale_ms - fresh_ms), max(0, self.error_ms - fresh_ms))


class CacheHit(NamedTuple):
    """A fresh copy."""

    copy: CachedCopy


class CacheStale(NamedTuple):
    """A stale copy: another request makes a new one, or a fill has just failed."""

    copy: CachedCopy


class CacheLease(NamedTuple):
    """This request makes the new copy.

    Attributes:
        copy: the old copy, which may be given if the fill fails, or while another invocation makes it.
        passing: whether the last response was for one caller alone, so that no request should wait for this one.
    """

    copy: CachedCopy | None = None
    passing: bool = False


class CacheBusy(NamedTuple):
    """Another request makes the new copy.

    Attributes:
        lease: the token of that request's lease.
        copy: the old copy, which may be given if the fill fails.
    """

    lease: str
    copy: CachedCopy | None = None


class CachePass(NamedTuple):
    """Another request makes a new copy, but the last response was for one caller alone, so waiting is useless.

    Attributes:
        copy: the old copy, which may be given if the fill fails.
    """

    copy: CachedCopy | None = None


CacheAnswer = CacheHit | CacheStale | CacheLease | CacheBusy | CachePass


class Refusal:
    """The place where a store writes why it didn't keep a copy, in the words of `Cache-Status`."""

    __slots__ = ("reason",)

    def __init__(self) -> None:
        self.reason: str | None = None


class CacheWrite(NamedTuple):
    """The settlement of a copy's lease.

    Attributes:
        request: the request that got the lease.
        record: the new copy; None: there is none.
        tags: digests of its tags.
        windows: for how long it may be used.
        delta_ms: how long its fill took; milliseconds.
        rest_ms: without a new copy: for how long no other fill is tried while there is an old copy; milliseconds.
        pass_ms: after a response for one caller alone: for how long no request waits for another's; milliseconds.
        payer: the caller under which the copy's bytes count.
        refusal: where the store writes why it didn't keep the copy.
    """

    request: CacheRequest
    record: bytes | None
    tags: tuple[str, ...] = ()
    windows: Windows = Windows(0)
    delta_ms: int = 0
    rest_ms: int = 0
    pass_ms: int = 0
    payer: str = ""
    refusal: Refusal | None = None
