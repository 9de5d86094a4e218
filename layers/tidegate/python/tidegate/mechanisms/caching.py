"""The cache: a request's wish for a copy, and what is given: a copy, another's answer, or one that is made now.

Of all who want the same thing, in the whole fleet, one makes it: Redis' lease says who, in the admission's one round
trip. The others get the old copy at once if there is one, else they wait for the new one. In one environment they wait
for each other without asking anybody. Without Redis each environment has its own copies.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from starlette.types import ASGIApp, Receive, Scope

from tidegate.admission import Admission
from tidegate.asgi import Outgoing, send_whole
from tidegate.caching import conditional, fields, tags
from tidegate.caching.cache import Cache
from tidegate.caching.fields import CacheStatus
from tidegate.caching.flights import Landing
from tidegate.caching.freshness import draw
from tidegate.caching.key import cache_key, cache_subject, coalesce_key, is_private, tag_digest
from tidegate.caching.local import LocalCopy
from tidegate.caching.question import CacheBusy, CachedCopy, CacheHit, CacheLease, CacheRequest, CacheStale
from tidegate.errors import ConfigurationError
from tidegate.identity import header
from tidegate.lifecycle import Environment
from tidegate.mechanisms.computing import Charged, Computing, Wanted
from tidegate.mechanisms.renewal import is_bounded
from tidegate.policy import Policy
from tidegate.question import Answer, Charge, Question
from tidegate.record import StoredResponse
from tidegate.routing import RoutePolicy, path_of

# API Gateway gives a request 29 s; whoever takes longer than this to make a copy doesn't keep it.
HOLD_MS = 30_000
# Where no cache says how long to wait for an answer that another request gets.
WAIT_UNCACHED_S = 5.0
_CACHEABLE = frozenset({"GET", "HEAD"})


def check(route: str, methods: Iterable[str], policy: Policy) -> None:
    """Refuse a route whose answers can't be given to others.

    Raises:
        ConfigurationError: it has effects, or a tag that its path can't fill.
    """
    if not _CACHEABLE.issuperset(methods):
        asked = "cache" if policy.cache is not None else "coalesce"
        raise ConfigurationError(
            f"policy({asked}=…) of {route}", f"it takes {', '.join(sorted(methods))}; write it for GET and HEAD only"
        )
    if policy.cache is not None:
        tags.check(policy.cache.tags, route)


class Caching:
    """One request's way through the cache.

    Args:
        environment: the environment's parts.
        scope: the ASGI scope.
        route: the request's route.
        admission: what its handler may know, and add tags to.
        out: the way to the client.

    Attributes:
        wanted: what the request wants; None if it wants nothing that others could have, too.
        word: how the cache answered, in a word; None as long as it hasn't.
    """

    def __init__(
        self, environment: Environment, scope: Scope, route: RoutePolicy, admission: Admission, out: Outgoing
    ) -> None:
        self._environment = environment
        self._place = environment.cache()
        self._scope = scope
        self._route = route
        self._cache = route.policy.cache
        self._out = out
        self._answer: Answer | None = None
        self.wanted = self._wanted(admission)
        self.word = "bypass" if self.wanted is None else None
        out.always = _said_otherwise(self._cache, passes=self.wanted is None)

    @property
    def request(self) -> CacheRequest | None:
        """The cache's part of the question."""
        return None if self.wanted is None else self.wanted.request

    @property
    def refreshes(self) -> bool:
        """Whether this invocation was asked for only to make the new copy, and is charged to nobody."""
        return _refreshing(self._scope) is not None

    def read(self, answer: Answer) -> None:
        """Take the cache's part of the answer."""
        self._answer = answer

    async def run(self, app: ASGIApp, receive: Receive, subject: str, due: Callable[[], tuple[Charge, ...]]) -> None:
        """Give a copy, or wait for one, or run the application and keep what it answers.

        Args:
            app: the application.
            receive: the request's.
            subject: whose charges they are, as in the question.
            due: takes what is still to be put right of what the request was charged.
        """
        if self.wanted is None:
            await app(self._scope, receive, self._out)
            return
        self._computing = Computing(app, receive, Charged(subject, due), self._environment, self.wanted, self._give)
        match await self._found():
            case CacheHit(copy):
                await self._give_copy(copy, "hit")
            case CacheStale(copy):
                await self._give_copy(copy, "stale")
            case CacheLease(copy):
                await self._renew(copy)
            case CacheBusy(lease, copy):
                await self._follow(copy, lease)
            case None:
                await self._alone()

    def _wanted(self, admission: Admission) -> Wanted | None:
        """What the request wants; None if it wants nothing that others could have, too."""
        scope, cache = self._scope, self._cache
        if header(scope, b"range") or header(scope, b"content-length") not in {None, "0"}:
            return None
        if cache is None:
            return Wanted(coalesce_key(scope, admission.principal), None, None, admission, private=True)
        key = cache_key(cache, scope, self._route.route, admission.principal)
        named = tags.filled(cache.tags, self._route.route, path_of(scope))
        request = CacheRequest(
            key,
            cache_subject(self._environment.settings.namespace, self._route.route),
            tuple(map(tag_digest, named)),
            _refreshing(scope) or uuid.uuid4().hex,
            _hold_ms(scope.get("aws.context")),
            draw(random.random()),  # noqa: S311  spreads renewals
        )
        return Wanted(key, request, cache, admission, private=is_private(cache, scope))

    async def _found(self) -> CacheHit | CacheStale | CacheLease | CacheBusy | None:
        if _refreshing(self._scope):
            return CacheLease(None)
        if self._answer is None:
            return None
        if self._answer.store == "redis" and self._place.pending and await self._told_what_is_void():
            return await self._look()
        return self._answer.cache

    async def _told_what_is_void(self) -> bool:
        """Tell Redis what it couldn't be told before, so that nothing of it is given again."""
        admission = self.wanted.admission if self.wanted else None
        return admission is not None and admission.voider is not None and await admission.voider().void()

    async def _look(self) -> CacheHit | CacheStale | CacheLease | CacheBusy | None:
        """Look again, which charges nothing."""
        environment, request = self._environment, self.request
        if request is None:
            return None
        question = Question(request.subject, cache=request)
        return (await environment.decide(lambda: environment.stores.admit(question))).cache

    # ── there is a lease: it is ours, or another's ──────────────────────────────────────────────────────────

    async def _renew(self, copy: CachedCopy | None) -> None:
        """Make the new one; with `refresh="async"` another invocation does, if there is an old one to give."""
        cache, request = self._cache, self.request
        if copy is not None and cache is not None and request is not None and cache.refresh == "async":
            from tidegate.caching.refresh import invoke_refresh  # noqa: PLC0415  only what refreshes so needs it

            usable = copy.fresh_ms + cache.found.stale_ms > 0
            if usable and await self._place.patient(lambda: invoke_refresh(self._scope, request.token)):
                await self._give_copy(copy, "hit" if copy.fresh_ms > 0 else "stale")
                return
        await self._compute(copy, leased=True)

    async def _follow(self, copy: CachedCopy | None, lease: str | None = None) -> None:
        """Wait for what another request makes, here or elsewhere; make it ourselves if that takes too long."""
        clock, key = self._environment.clock, self._key
        ends = clock.monotonic() + (WAIT_UNCACHED_S if self._cache is None else self._cache.wait_ms / 1000)
        while (left_s := ends - clock.monotonic()) > 0:
            flight = self._place.flights.find(key)
            if flight is None:
                if lease is None:
                    break
                await self._wait_for(lease, left_s)
                return
            landing = await flight.landed(left_s)
            if landing is not None:
                status = CacheStatus(fwd="uri-miss", ttl=_whole_s(landing.fresh_ms), collapsed=True)
                await self._give(landing, status, "collapsed")
                return
        await self._compute(copy, leased=False)

    async def _wait_for(self, lease: str, left_s: float) -> None:
        """Wait for another environment; whoever wants the same here meanwhile waits for us."""
        shared, request = self._place.shared, self.request
        flight, landing = self._place.flights.begin(self._key), None
        found: CacheHit | CacheStale | CacheLease | CacheBusy | None = None
        try:
            if shared is not None and request is not None:
                await self._place.patient(lambda: shared.wait(request, lease, int(left_s * 1000)))
                found = await self._look()
            if isinstance(found, CacheHit | CacheStale):
                landing = _landing(found.copy)
        finally:
            flight.land(landing)
        if landing is not None:
            status = CacheStatus(fwd="uri-miss", ttl=_whole_s(landing.fresh_ms), collapsed=True)
            await self._give(landing, status, "collapsed")
        else:
            await self._compute(None, leased=isinstance(found, CacheLease))

    # ── there is no Redis: this environment's own copies ────────────────────────────────────────────────────

    async def _alone(self) -> None:
        local = None if self._cache is None else self._place.local.get(self._key)
        flying = self._place.flights.find(self._key) is not None
        now_us = self._environment.clock.wall_us()
        if local is not None:
            kept, copy = local.kept(now_us), _copy_of(local, now_us)
            if kept.fresh_ms > 0:
                await self._give_copy(copy, "hit", keep=False)
            elif flying or now_us < local.due_us:
                await self._give_copy(copy, "stale", keep=False)
            else:
                await self._compute_or_follow(copy, flying=flying)
            return
        await self._compute_or_follow(None, flying=flying)

    async def _compute_or_follow(self, copy: CachedCopy | None, *, flying: bool) -> None:
        await (self._follow(copy) if flying else self._compute(copy, leased=False))

    # ── the answer ──────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _key(self) -> str:
        return "" if self.wanted is None else self.wanted.key

    async def _compute(self, copy: CachedCopy | None, *, leased: bool) -> None:
        await self._computing.run(self._scope, copy, leased=leased)

    async def _give_copy(self, copy: CachedCopy, word: str, *, keep: bool = True) -> None:
        """Give a copy; one from Redis is kept for when Redis is gone."""
        landing = _landing(copy)
        if landing is None or self._cache is None:
            await self._compute(None, leased=False)
            return
        if keep:
            missing = self._cache.missing if landing.response.status in {404, 410} else None
            windows = (missing or self._cache.found)._replace(fresh_ms=copy.age_ms + copy.fresh_ms)
            made_us = self._environment.clock.wall_us() - copy.age_ms * 1000
            local = LocalCopy(copy.record, copy.tags, made_us, windows, copy.delta_ms)
            self._place.local.put(self._key, local, self._place.environments)
        await self._give(landing, CacheStatus(hit=True, ttl=_whole_s(copy.fresh_ms)), word)

    async def _give(self, landing: Landing, status: CacheStatus, word: str) -> None:
        """Answer, with 304 if the client has it already."""
        self.word = word
        self._out.always = ()
        response, more = landing.response, [(fields.STATUS_FIELD, status.field())]
        if self._cache is not None:
            response = conditional.answered(response, header(self._scope, b"if-none-match"))
            if word != "computed":
                more.append(fields.age(landing.age_ms))
        with suppress(OSError):  # the client has gone; others have what was made
            await send_whole(self._out, response, *more)


def _said_otherwise(cache: Cache | None, *, passes: bool) -> tuple[tuple[bytes, bytes], ...]:
    """What answers say in which the cache has no part: a refusal isn't to be kept; what passes speaks for itself."""
    if cache is None:
        return ()
    status = (fields.STATUS_FIELD, CacheStatus(fwd="bypass").field())
    return (status,) if passes else (status, (fields.CONTROL_FIELD, b"no-store"))


def _landing(copy: CachedCopy) -> Landing | None:
    try:
        return Landing(StoredResponse.decode(copy.record), copy.age_ms, copy.fresh_ms)
    except ValueError:
        return None  # not written by this library


def _copy_of(local: LocalCopy, now_us: int) -> CachedCopy:
    return CachedCopy(local.record, local.tags, local.age_ms(now_us), local.kept(now_us).fresh_ms, local.delta_ms)


def _whole_s(milliseconds: int | None) -> int | None:
    return None if milliseconds is None else milliseconds // 1000


def _hold_ms(context: Any) -> int:
    """For how long a lease is held: a Lambda invocation that ends earlier can't use it longer."""
    return min(HOLD_MS, int(context.get_remaining_time_in_millis()) + 1000) if is_bounded(context) else HOLD_MS


def _refreshing(scope: Mapping[str, Any]) -> str | None:
    """Return the lease that this invocation is to use, if it was invoked for that alone (see `caching.refresh`)."""
    told = scope.get("aws.event", {}).get("tidegate.refresh")
    return str(told) if told else None
