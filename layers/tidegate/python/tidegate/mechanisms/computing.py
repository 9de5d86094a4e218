"""The making of a copy: the application run captured, its answer judged, kept and given."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from starlette.types import ASGIApp, Receive, Scope

from tidegate.admission import Admission
from tidegate.asgi import Captured
from tidegate.caching import conditional, fields
from tidegate.caching.cache import Cache, Windows
from tidegate.caching.fields import CacheStatus
from tidegate.caching.flights import Flight, Landing
from tidegate.caching.key import tag_digest
from tidegate.caching.local import LocalCopy
from tidegate.caching.question import CachedCopy, CacheRequest, CacheWrite
from tidegate.caching.storable import Verdict, unsharable, verdict
from tidegate.errors import StoreUnavailableError
from tidegate.lifecycle import Environment
from tidegate.question import Charge, Settlement
from tidegate.record import StoredResponse
from tidegate.telemetry import logger

# After a failure that an old copy stands in for, nobody tries again for so long, jittered.
REST_MS = 1000
_NONE = Windows(0)


class Wanted(NamedTuple):
    """What a request wants.

    Attributes:
        key: the digest of all that makes a difference.
        request: the cache's part of the question; None where only what runs at the same time is joined.
        cache: what the route asks for; None likewise.
        admission: the request's, with the tags that its handler adds.
        private: whether the answer is its caller's alone.
    """

    key: str
    request: CacheRequest | None
    cache: Cache | None
    admission: Admission
    private: bool


class Charged(NamedTuple):
    """What the request was charged.

    Attributes:
        subject: whose charges they are.
        due: takes what is still to be put right of them.
    """

    subject: str
    due: Callable[[], tuple[Charge, ...]]


Give = Callable[[Landing, CacheStatus, str], Awaitable[None]]


class Computing(NamedTuple):
    """One request's way to run the application for others, too.

    Attributes:
        app: the application.
        receive: the request's.
        charged: what the request was charged.
        environment: the environment's parts.
        wanted: what the request wants.
        give: answers the client.
    """

    app: ASGIApp
    receive: Receive
    charged: Charged
    environment: Environment
    wanted: Wanted
    give: Give

    async def run(self, scope: Scope, copy: CachedCopy | None, *, leased: bool) -> None:
        """Run the application, keep its answer if it may be kept, and give it.

        Args:
            scope: the request's.
            copy: what is given instead if the application fails.
            leased: whether the fleet's lease is ours.
        """
        request = self.wanted.request
        flight = self.environment.cache().flights.begin(self.wanted.key, () if request is None else request.tags)
        made = _Making(self, flight, copy, leased=leased)
        captured = Captured(made.deliver)
        try:
            # Without the server's extensions: one of them sends files past us.
            await self.app({**scope, "extensions": {}}, self.receive, captured)
        except Exception as error:
            if captured.complete or not await made.stand_in(500):
                raise
            logger().exception("a copy stands in for a failure", extra={"error": type(error).__name__})
        finally:
            flight.land(None)
            await made.give_up()


class _Making:
    """One computation."""

    def __init__(self, computing: Computing, flight: Flight, copy: CachedCopy | None, *, leased: bool) -> None:
        self._c = computing
        self._flight = flight
        self._copy = copy
        self._leased = leased
        self._clock = computing.environment.clock
        self._began_us, self._began = self._clock.wall_us(), self._clock.monotonic()

    async def deliver(self, response: StoredResponse) -> None:
        """Judge the application's answer, keep it, tell those who wait, and give it."""
        if response.status >= 500 and await self.stand_in(response.status):
            return
        cache, wanted = self._c.wanted.cache, self._c.wanted
        if cache is None:
            common = response.status < 500 and unsharable(response.headers, private=True, vary=None) is None
            self._flight.land(Landing(response) if common else None)
            await self._c.give(Landing(response), CacheStatus(fwd="uri-miss", fwd_status=response.status), "computed")
            return
        judged, leased = verdict(cache, response, private=wanted.private), self._leased
        tagged = conditional.tagged(response)
        whole = self._completed(tagged, cache, judged)
        stored = await self._keep(whole, judged)
        if leased and stored is False and judged.windows is not None:
            judged = Verdict(None, "superseded", common=False)
            whole = self._completed(tagged, cache, judged)
        landing = Landing(whole, 0, None if judged.windows is None else judged.windows.fresh_ms)
        self._flight.land(landing if judged.common else None)
        await self._c.give(landing, self._status(response.status, judged, stored=bool(stored)), "computed")

    def _completed(self, response: StoredResponse, cache: Cache, judged: Verdict) -> StoredResponse:
        private = self._c.wanted.private
        return response._replace(headers=fields.completed(response.headers, cache, judged.windows, private=private))

    async def stand_in(self, status: int) -> bool:
        """Give the old copy for a failure, if it may still be used; False if there is none."""
        cache, copy = self._c.wanted.cache, self._copy
        if cache is None or copy is None:
            return False
        elapsed_ms = int((self._clock.monotonic() - self._began) * 1000)
        copy = copy._replace(age_ms=copy.age_ms + elapsed_ms, fresh_ms=copy.fresh_ms - elapsed_ms)
        if copy.fresh_ms + cache.found.error_ms <= 0:
            return False
        landing = Landing(StoredResponse.decode(copy.record), copy.age_ms, copy.fresh_ms)
        rest_ms = int(REST_MS * random.uniform(1, 1.5))  # noqa: S311  spreads tries
        self._c.environment.cache().local.postpone(self._c.wanted.key, rest_ms)
        await self._settle(None, rest_ms=rest_ms)
        self._flight.land(landing)
        ttl = copy.fresh_ms // 1000
        told = CacheStatus(fwd="stale", fwd_status=status, ttl=ttl, detail="stale-if-error")
        await self._c.give(landing, told, "stale")
        return True

    async def give_up(self) -> None:
        """Let go of the lease, if nothing was settled under it."""
        await self._settle(None)

    async def _keep(self, response: StoredResponse, judged: Verdict) -> bool | None:
        """Keep an answer in Redis, under the lease, and here; say what `_settle` says."""
        if judged.windows is None:
            await self._settle(None)
            return False
        record, leased = response.encode(), self._leased
        tags = self._tags()
        stored = await self._settle(record, tags, judged.windows)
        if stored is not False or not leased:
            place = self._c.environment.cache()
            local = LocalCopy(record, tags, self._clock.wall_us(), judged.windows, self._delta_ms())
            place.local.put(self._c.wanted.key, local, place.environments, self._began_us)
        return stored

    async def _settle(
        self, record: bytes | None, tags: tuple[str, ...] = (), windows: Windows = _NONE, rest_ms: int = 0
    ) -> bool | None:
        """Write under the lease, once, with what the request's charges need put right: one round trip.

        Returns:
            True if it is written; False if there is no lease any more, or what was made is void by now; None if Redis
            couldn't be told.
        """
        request, environment = self._c.wanted.request, self._c.environment
        if not self._leased or request is None:
            return False
        self._leased = False
        write = CacheWrite(request, record, tags, windows, self._delta_ms(), rest_ms)
        charged = self._c.charged
        settlement = Settlement(charged.subject, None, None, fenced=False, corrections=charged.due(), cache=write)
        try:
            return await environment.call(lambda: environment.stores.settle(settlement))
        except StoreUnavailableError:
            return None  # the lease ends by itself

    def _tags(self) -> tuple[str, ...]:
        request, added = self._c.wanted.request, self._c.wanted.admission.tags
        known = () if request is None else request.tags
        return tuple(dict.fromkeys((*known, *map(tag_digest, added)))) if added else known

    def _delta_ms(self) -> int:
        return int((self._clock.monotonic() - self._began) * 1000)

    def _status(self, status: int, judged: Verdict, *, stored: bool) -> CacheStatus:
        fresh = self._copy is not None and self._copy.fresh_ms > 0
        ttl = None if judged.windows is None else judged.windows.fresh_ms // 1000
        return CacheStatus(
            fwd="uri-miss" if self._copy is None else "stale",
            fwd_status=status,
            ttl=ttl,
            stored=stored,
            detail=judged.reason or ("early" if fresh else None),
        )
