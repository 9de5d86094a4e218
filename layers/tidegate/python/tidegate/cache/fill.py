"""Cache fill: the application runs, and its response is captured, judged, kept and given."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from starlette.types import ASGIApp, Scope

from tidegate.admission import Admission
from tidegate.cache import conditional, fields
from tidegate.cache.copies import landing_of
from tidegate.cache.fields import CacheStatus
from tidegate.cache.hit_for_pass import FAILED_MS, passing_ms
from tidegate.cache.key import tag_digest
from tidegate.cache.local import LocalCopy
from tidegate.cache.policy import Cache
from tidegate.cache.shareable import Watched
from tidegate.cache.single_flight import UNSHARED, Flight, FlightResult
from tidegate.cache.storable import Verdict, verdict, verdict_for_those_at_once
from tidegate.cache_messages import CachedCopy, CacheRequest, CacheWrite, Refusal, Windows
from tidegate.environment import Environment
from tidegate.errors import StoreUnavailableError
from tidegate.messages import Charge, Settlement
from tidegate.telemetry import logger
from tidegate.web.asgi import ResponseRecorder
from tidegate.web.shield import to_its_end
from tidegate.web.stored_response import StoredResponse

# The pause, jittered, before the next attempt, once an old copy has replaced a failure.
REST_MS = 1000
_NONE = Windows(0)


class CacheLookupKey(NamedTuple):
    """What a request looks up.

    Attributes:
        key: the digest of all that the response depends on.
        request: the cache's part of the question; None if the route only joins concurrent requests.
        cache: the route's policy; None likewise.
        admission: the request's, with the tags that its handler adds.
        private: whether the response is for its caller alone.
    """

    key: str
    request: CacheRequest | None
    cache: Cache | None
    admission: Admission
    private: bool


class Charged(NamedTuple):
    """What the request was charged.

    Attributes:
        subject: the subject of the charges.
        due: returns the corrections that are still to be written; they then count as taken.
    """

    subject: str
    due: Callable[[], tuple[Charge, ...]]


Give = Callable[[FlightResult, CacheStatus, str], Awaitable[None]]


class CacheFill(NamedTuple):
    """Runs the application for one request, and for all that wait for the same response.

    Attributes:
        app: the application.
        receive: the request's.
        charged: what the request was charged.
        environment: the environment's parts.
        wanted: what the request looks up.
        give: sends a response to the client.
    """

    app: ASGIApp
    receive: Watched
    charged: Charged
    environment: Environment
    wanted: CacheLookupKey
    give: Give

    async def run(self, scope: Scope, copy: CachedCopy | None, *, leased: bool) -> None:
        """Run the application, keep its response if it may be kept, and give it.

        Args:
            scope: that of a run whose response is recorded.
            copy: the copy to give if the application fails.
            leased: whether this request holds the fleet's lease.
        """
        request = self.wanted.request
        flight = self.environment.cache().flights.begin(self.wanted.key, () if request is None else request.tags)
        run = _FillRun(self, flight, copy, leased=leased, whole=scope["method"] != "HEAD")
        captured = ResponseRecorder(run.deliver)
        try:
            await self.app(scope, self.receive, captured)
        except Exception as error:
            if captured.complete:
                raise
            if not await run.stand_in(500):
                run.pass_for(FAILED_MS)
                raise
            logger().exception("a copy stands in for a failure", extra={"error": type(error).__name__})
        finally:
            captured.close()
            await run.give_up()


class _FillRun:
    """One fill."""

    def __init__(
        self, filling: CacheFill, flight: Flight, copy: CachedCopy | None, *, leased: bool, whole: bool
    ) -> None:
        self._fill = filling
        self._flight = flight
        self._copy = copy
        self._leased = leased
        self._whole = whole  # a HEAD's response has no body to make an ETag from
        self._pass_ms = 0
        self._clock = filling.environment.clock
        self._began_us, self._began = self._clock.wall_us(), self._clock.monotonic()

    async def deliver(self, response: StoredResponse) -> None:
        """Judge the application's response, keep it, hand it to the requests that wait, and give it."""
        if response.status >= 500 and await self.stand_in(response.status):
            return
        cache, judged = self._fill.wanted.cache, self._judged(response)
        if judged.common:
            self._fill.environment.cache().passes.forget(self._fill.wanted.key)
        else:
            self.pass_for(passing_ms(response.status))
        if cache is None:
            self._land(FlightResult(response), judged)
            status = CacheStatus(fwd="uri-miss", fwd_status=response.status, detail=judged.reason)
            await self._fill.give(FlightResult(response), status, "computed")
            return
        leased = self._leased
        tagged = conditional.tagged(response) if self._whole else response
        whole = self._completed(tagged, cache, judged)
        refusal = Refusal()
        if not judged.common:
            self._land(FlightResult(whole), judged)  # those that wait needn't wait for the write to Redis
        stored = await self._keep(whole, judged, refusal)
        if leased and stored is False and judged.windows is not None:
            judged = judged._replace(reason=refusal.reason)  # Redis has no room for it; the client's cache may have
            if refusal.reason is None:
                judged = Verdict(None, "superseded", common=False)
                whole = self._completed(tagged, cache, judged)
        landing = FlightResult(whole, 0, None if judged.windows is None else judged.windows.fresh_ms)
        self._land(landing, judged)
        await self._fill.give(landing, self._status(response.status, judged, stored=bool(stored)), "computed")

    def _judged(self, response: StoredResponse) -> Verdict:
        if self._fill.receive.has_body:
            return Verdict(None, "request-body", common=False)
        if response.body is None:
            return Verdict(None, "too-large", common=False)
        cache = self._fill.wanted.cache
        if cache is None:
            return verdict_for_those_at_once(response)
        return verdict(cache, response, private=self._fill.wanted.private, now_s=self._clock.wall_us() / 1_000_000)

    def _land(self, landing: FlightResult, judged: Verdict) -> None:
        self._flight.land(landing if judged.common else UNSHARED if self._pass_ms else None)

    def pass_for(self, milliseconds: int) -> None:
        """Let waiting requests, and for so long new ones, run on their own: this response can't be shared."""
        self._pass_ms = milliseconds
        until_s = self._clock.monotonic() + milliseconds / 1000
        self._fill.environment.cache().passes.note(self._fill.wanted.key, until_s)

    def _completed(self, response: StoredResponse, cache: Cache, judged: Verdict) -> StoredResponse:
        headers = fields.completed(
            response.headers, cache, judged.windows, private=self._fill.wanted.private, age_ms=judged.age_ms
        )
        return response._replace(headers=headers)

    async def stand_in(self, status: int) -> bool:
        """Give the old copy in place of a failure; False if there is none that may still be used."""
        cache, copy = self._fill.wanted.cache, self._copy
        if cache is None or copy is None:
            return False
        elapsed_ms = int((self._clock.monotonic() - self._began) * 1000)
        copy = copy._replace(age_ms=copy.age_ms + elapsed_ms, fresh_ms=copy.fresh_ms - elapsed_ms)
        landing = landing_of(copy)
        if landing is None or copy.error_ms <= elapsed_ms:
            return False
        rest_ms = int(REST_MS * random.uniform(1, 1.5))  # noqa: S311  spreads retries
        self._fill.environment.cache().local.postpone(self._fill.wanted.key, rest_ms)
        await self._settle(None, rest_ms=rest_ms)
        self._flight.land(landing)
        ttl = copy.fresh_ms // 1000
        cache_status = CacheStatus(fwd="stale", fwd_status=status, ttl=ttl, detail="stale-if-error")
        await self._fill.give(landing, cache_status, "stale")
        return True

    async def give_up(self) -> None:
        """Release the requests that wait, and the lease, unless they are released already."""
        self._flight.land(UNSHARED if self._pass_ms else None)
        with to_its_end():
            await self._settle(None)

    async def _keep(self, response: StoredResponse, judged: Verdict, refusal: Refusal) -> bool | None:
        """Keep a response in Redis, under the lease, and in this environment; return what `_settle` returns."""
        if judged.windows is None:
            await self._settle(None)
            return False
        record, leased = response.encode(), self._leased
        tags = self._tags()
        stored = await self._settle(record, tags, judged.windows, refusal=refusal)
        if stored is not False or not leased or refusal.reason is not None:
            place = self._fill.environment.cache()
            local = LocalCopy(record, tags, self._clock.wall_us(), judged.windows, self._delta_ms())
            place.local.put(self._fill.wanted.key, local, place.environments, self._began_us)
        return stored

    async def _settle(
        self,
        record: bytes | None,
        tags: tuple[str, ...] = (),
        windows: Windows = _NONE,
        *,
        rest_ms: int = 0,
        refusal: Refusal | None = None,
    ) -> bool | None:
        """Write under the lease, once, with the corrections of the request's charges: one round trip.

        Returns:
            True if it is written; False if the lease has ended, or the new copy was voided meanwhile; None if Redis
            doesn't answer.
        """
        request, environment = self._fill.wanted.request, self._fill.environment
        if not self._leased or request is None:
            return False
        self._leased = False
        charged = self._fill.charged
        delta_ms, payer = self._delta_ms(), charged.subject
        write = CacheWrite(request, record, tags, windows, delta_ms, rest_ms, self._pass_ms, payer, refusal)
        settlement = Settlement(charged.subject, None, None, fenced=False, corrections=charged.due(), cache=write)
        try:
            return await environment.call(lambda: environment.stores.settle(settlement))
        except StoreUnavailableError:
            return None  # the lease ends by itself

    def _tags(self) -> tuple[str, ...]:
        request, added = self._fill.wanted.request, self._fill.wanted.admission.tags
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
