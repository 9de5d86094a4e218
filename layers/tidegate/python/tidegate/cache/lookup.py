"""The cache of one request: it gets a copy, another request's response, or one that is made now.

Of all requests of the fleet with the same key, one makes the copy: Redis gives it the lease, in the round trip of the
admission. The others get the old copy at once, or else wait for the new one. Within one environment they wait without
asking Redis. Without Redis each environment has its own copies.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from starlette.types import ASGIApp, Receive, Scope

from tidegate.admission import Admission
from tidegate.cache import conditional, fields, tags
from tidegate.cache.copies import landing_of
from tidegate.cache.declared import declared_cache
from tidegate.cache.fields import CacheStatus
from tidegate.cache.fill import CacheFill, CacheLookupKey, Charged
from tidegate.cache.freshness import draw
from tidegate.cache.key import Owner, cache_key, cache_subject, coalesce_key, is_private, path_digest, tag_digest
from tidegate.cache.local import LocalCopy
from tidegate.cache.policy import Cache
from tidegate.cache.shareable import Watched, as_get, is_for_one
from tidegate.cache.single_flight import UNSHARED, FlightResult, Landed
from tidegate.cache_messages import (
    CacheAnswer,
    CacheBusy,
    CachedCopy,
    CacheHit,
    CacheLease,
    CachePass,
    CacheRequest,
    CacheStale,
)
from tidegate.environment import Environment
from tidegate.errors import ConfigurationError
from tidegate.idempotency.renewal import is_bounded
from tidegate.identity.caller import Caller
from tidegate.identity.credentials import beside_the_principal
from tidegate.messages import Answer, Charge, Question
from tidegate.policy import Policy
from tidegate.routing import RoutePolicy, RouteTable, path_of
from tidegate.web.asgi import ResponseSender, send_whole
from tidegate.web.recorded_scope import recorded, tell_route

# API Gateway gives a request 29 s; a response that takes longer than this isn't kept.
HOLD_MS = 30_000
# How long a request of a route without a cache policy waits for another's response.
WAIT_UNCACHED_S = 5.0
_CACHEABLE = frozenset({"GET", "HEAD"})


def check(route: str, methods: Iterable[str], policy: Policy) -> None:
    """Refuse a route whose responses can't be given to others.

    Raises:
        ConfigurationError: it has an unsafe method, or a tag with a parameter that its path lacks.
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
        routes: all of the application's.
        caller: the request's.
        admission: the handler's view of the request, to which it adds tags.
        out: sends the response to the client.

    Attributes:
        wanted: what the request looks up; None if its response can't be shared.
        word: how the response came about, in one word; None until it is known.
    """

    def __init__(
        self,
        environment: Environment,
        scope: Scope,
        route: RoutePolicy,
        routes: RouteTable,
        caller: Caller,
        *,
        admission: Admission,
        out: ResponseSender,
    ) -> None:
        self._environment = environment
        self._place = environment.cache()
        self._scope = scope
        self._route = route
        self._cache = declared_cache(route)
        self._out = out
        self._answer: Answer | None = None
        self._inner: Scope = {}
        credentials = beside_the_principal(scope, caller, route.reads, environment.settings.principal_key)
        self._owner = Owner(caller.principal, credentials)
        self._conditions = conditional.conditions_of(scope)
        self._asked = as_get(scope, route, routes, conditional=bool(self._conditions))
        self.wanted = self._wanted(admission)
        self.word = "bypass" if self.wanted is None else None
        out.always = _fields_otherwise(self._cache, passes=self.wanted is None)

    @property
    def request(self) -> CacheRequest | None:
        """The cache's part of the question."""
        return None if self.wanted is None else self.wanted.request

    @property
    def refreshes(self) -> bool:
        """Whether this invocation only renews a copy, and is charged to no limit."""
        return _refreshing(self._scope) is not None

    def read(self, answer: Answer) -> None:
        """Take the cache's part of the store's answer."""
        self._answer = answer

    async def run(self, app: ASGIApp, receive: Receive, subject: str, due: Callable[[], tuple[Charge, ...]]) -> None:
        """Give a copy, or wait for one, or run the application and keep its response.

        Args:
            app: the application.
            receive: the request's.
            subject: the subject of the charges, as in the question.
            due: returns the corrections that are still to be written; they then count as taken.
        """
        if self.wanted is None:
            await app(self._scope, receive, self._out)
            return
        charged, watched = Charged(subject, due), Watched(receive)
        self._fill = CacheFill(app, watched, charged, self._environment, self.wanted, self._give)
        match await self._found():
            case CacheHit(copy):
                await self._give_copy(copy, "hit")
            case CacheStale(copy):
                await self._give_copy(copy, "stale")
            case CacheLease(copy, _):
                await self._renew(copy)
            case CacheBusy(lease, copy):
                await self._follow(copy, lease)
            case CachePass(copy):
                await self._compute(copy, leased=False)
            case None:
                await self._alone()

    def _wanted(self, admission: Admission) -> CacheLookupKey | None:
        """What the request looks up; None if its response can't be shared."""
        scope, cache = self._asked, self._cache
        if is_for_one(scope):
            return None
        if cache is None:
            return CacheLookupKey(coalesce_key(scope, self._owner), None, None, admission, private=True)
        key = cache_key(cache, scope, self._route.route, self._owner)
        path = path_of(scope)
        named = tags.filled(cache.tags, self._route.route, path)
        request = CacheRequest(
            key,
            cache_subject(self._environment.settings.namespace, self._route.route),
            (*map(tag_digest, named), path_digest(path)),
            _refreshing(scope) or uuid.uuid4().hex,
            _hold_ms(scope.get("aws.context")),
            draw(random.random()),  # noqa: S311  spreads renewals
        )
        return CacheLookupKey(key, request, cache, admission, private=is_private(cache, self._owner))

    async def _found(self) -> CacheAnswer | None:
        if _refreshing(self._scope):
            return CacheLease(None)
        if self._answer is None:
            return None
        if self._answer.store == "redis" and self._place.pending and await self._void_pending():
            return await self._look()
        return self._answer.cache

    async def _void_pending(self) -> bool:
        """Void the tags that couldn't be voided in Redis before; False if some can't be."""
        admission = self.wanted.admission if self.wanted else None
        return admission is not None and admission.voider is not None and await admission.voider().void()

    async def _look(self) -> CacheAnswer | None:
        """Ask for the copy again, which charges nothing."""
        environment, request = self._environment, self.request
        if request is None:
            return None
        question = Question(request.subject, cache=request)
        return (await environment.decide.steps(environment.stores.admitting(question))).cache

    # ── a lease: this request's, or another's ───────────────────────────────────────────────────────────────

    async def _renew(self, copy: CachedCopy | None) -> None:
        """Make a new copy; with `refresh="async"` another invocation makes it, if there is an old one to give."""
        cache, request = self._cache, self.request
        if copy is not None and cache is not None and request is not None and cache.refresh == "async":
            from tidegate.cache.async_refresh import invoke_refresh  # noqa: PLC0415  only what refreshes so needs it

            if copy.stale_ms > 0 and await self._place.patient(lambda: invoke_refresh(self._scope, request.token)):
                await self._give_copy(copy, "hit" if copy.fresh_ms > 0 else "stale")
                return
        await self._compute(copy, leased=True)

    async def _follow(self, copy: CachedCopy | None, lease: str | None = None) -> None:
        """Wait for another request's copy, in this environment or another, and run the application if it takes long."""
        clock, key = self._environment.clock, self._key
        ends = clock.monotonic() + (WAIT_UNCACHED_S if self._cache is None else self._cache.wait_ms / 1000)
        while not self._passes and (left_s := ends - clock.monotonic()) > 0:
            flight = self._place.flights.find(key)
            if flight is None:
                if lease is None:
                    break
                await self._wait_for(lease, left_s)
                return
            landing = await flight.landed(left_s)
            if landing is UNSHARED:
                break
            if landing is not None:
                await self._give_landing(landing)
                return
        await self._compute(copy, leased=False)

    async def _wait_for(self, lease: str, left_s: float) -> None:
        """Wait for another environment's copy; requests for it in this environment meanwhile join this flight."""
        shared, request = self._place.shared, self.request
        flight, found = self._place.flights.begin(self._key), None
        landing: Landed = None
        try:
            if shared is not None and request is not None:
                await self._place.patient(lambda: shared.wait(request, lease, int(left_s * 1000)))
                found = await self._look()
            if isinstance(found, CacheHit | CacheStale):
                landing = landing_of(found.copy)
            elif isinstance(found, CachePass) or (isinstance(found, CacheLease) and found.passing):
                landing = UNSHARED
        finally:
            flight.land(landing)
        if isinstance(landing, FlightResult):
            await self._give_landing(landing)
        else:
            await self._compute(None, leased=isinstance(found, CacheLease))

    @property
    def _passes(self) -> bool:
        """Whether requests for this key don't wait for each other (see `hit_for_pass`)."""
        return self._place.passes.has(self._key, self._environment.clock.monotonic())

    # ── no Redis: this environment's own copies ─────────────────────────────────────────────────────────────

    async def _alone(self) -> None:
        local = None if self._cache is None else self._place.local.get(self._key)
        flying = self._place.flights.find(self._key) is not None and not self._passes
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

    # ── the response ────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _key(self) -> str:
        return "" if self.wanted is None else self.wanted.key

    async def _compute(self, copy: CachedCopy | None, *, leased: bool) -> None:
        inner = self._inner = recorded(self._asked)
        try:
            await self._fill.run(inner, copy, leased=leased)
        finally:
            tell_route(self._scope, inner)

    async def _give_copy(self, copy: CachedCopy, word: str, *, keep: bool = True) -> None:
        """Give a copy; one from Redis is kept here, for an outage of Redis."""
        landing = landing_of(copy)
        if landing is None:
            await self._do_without(copy)
            return
        if keep:
            made_us = self._environment.clock.wall_us() - copy.age_ms * 1000
            local = LocalCopy(copy.record, copy.tags, made_us, copy.windows, copy.delta_ms)
            self._place.local.put(self._key, local, self._place.environments)
        await self._give(landing, CacheStatus(hit=True, ttl=_whole_s(copy.fresh_ms)), word)

    async def _do_without(self, copy: CachedCopy) -> None:
        """Make a new copy in place of a malformed one, which is deleted from Redis."""
        shared, request, found = self._place.shared, self.request, None
        if shared is not None and request is not None and self._answer is not None:
            await self._environment.call(lambda: shared.forget(request, copy.record))
            found = await self._look()
        await self._compute(None, leased=isinstance(found, CacheLease))

    async def _give_landing(self, landing: FlightResult) -> None:
        status = CacheStatus(fwd="uri-miss", ttl=_whole_s(landing.fresh_ms), collapsed=True)
        await self._give(landing, status, "collapsed")

    async def _give(self, landing: FlightResult, status: CacheStatus, word: str) -> None:
        """Send a response: as 304 if the client has it already, and without its body for a HEAD."""
        self.word = word
        tell_route(self._scope, self._inner)
        self._out.always = ()
        response = landing.response
        if self._cache is not None and word != "computed":
            response = response._replace(headers=fields.of_copy(response.headers, landing.age_ms))
        whole, response = response, conditional.judged(response, self._conditions)
        if response is not whole and response.status == 304:
            response = response._replace(headers=(*response.headers, *fields.age_of(whole.headers)))
        if self._scope["method"] == "HEAD":
            response = response._replace(body=b"", overlong=None)
        with suppress(OSError):  # the client has gone; the response is kept all the same
            await send_whole(self._out, response, (fields.STATUS_FIELD, status.field()))


def _fields_otherwise(cache: Cache | None, *, passes: bool) -> tuple[tuple[bytes, bytes], ...]:
    """The fields of a response that the cache didn't give: a refusal mustn't be kept; a bypass keeps its own fields."""
    if cache is None:
        return ()
    status = (fields.STATUS_FIELD, CacheStatus(fwd="bypass").field())
    return (status,) if passes else (status, (fields.CONTROL_FIELD, b"no-store"))


def _copy_of(local: LocalCopy, now_us: int) -> CachedCopy:
    kept = local.kept(now_us)
    age_ms = local.age_ms(now_us)
    return CachedCopy(local.record, local.tags, age_ms, kept.fresh_ms, local.delta_ms, kept.stale_ms, kept.error_ms)


def _whole_s(milliseconds: int | None) -> int | None:
    return None if milliseconds is None else milliseconds // 1000


def _hold_ms(context: Any) -> int:
    """How long a lease is held, in milliseconds: no longer than the Lambda invocation, and a second."""
    return min(HOLD_MS, int(context.get_remaining_time_in_millis()) + 1000) if is_bounded(context) else HOLD_MS


def _refreshing(scope: Mapping[str, Any]) -> str | None:
    """Return the lease of an invocation that only renews a copy (see `cache.async_refresh`); None for any other."""
    token = scope.get("aws.event", {}).get("tidegate.refresh")
    return str(token) if token else None
