"""A claim that this attempt holds, wherever it lies: renewed while its handler runs, settled when it ends.

A lease protects only who looks at the clock before acting on it (Gray and Cheriton, "Leases", SOSP 1989): an
environment that was frozen after its claim was granted must not begin its handler, nor answer for it, as if it
held the claim still. It looks at its own monotonic clock, which no skew can deceive.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from threading import Event, Lock
from typing import NamedTuple

from tidegate.clock import Clock
from tidegate.errors import StoreUnavailableError
from tidegate.failover.store import FailoverStore
from tidegate.idempotency.claim_store import ClaimStore
from tidegate.idempotency.renewal import SKEW_MARGIN_MS
from tidegate.messages import Charge, ClaimRequest, Granted, Settlement
from tidegate.telemetry import logger
from tidegate.web.stored_response import PendingSync, StoredResponse

TakeCorrections = Callable[[], tuple[Charge, ...]]


class ClaimBackends(NamedTuple):
    """The stores in which a claim may lie.

    Attributes:
        subject: whose claim it is, as in the question.
        stores: the failover chain; Redis, if it is there, keeps copies of answers, and claims of routes that let it.
        claims: the store that guards effects; None if only Redis is configured.
        clock: this environment's.
    """

    subject: str
    stores: FailoverStore
    claims: ClaimStore | None
    clock: Clock

    def copy(self, request: ClaimRequest, record: bytes, corrections: tuple[Charge, ...] = ()) -> None:
        """Give Redis the copy that it replays from; where it is missing, the claim store replays."""
        with suppress(StoreUnavailableError):
            self.stores.settle(Settlement(self.subject, request, record, fenced=False, corrections=corrections))


class HeldClaim:
    """A held claim; its methods block, and may be called from any thread.

    Args:
        request: whose claim was granted.
        backends: where it may lie.
        points: the recovery points that it was granted with.
        hold_ms: how long it is to stand from now on.
        asked_s: when it was asked for, or before, by the monotonic clock.
        by_redis: whether Redis holds it.
    """

    def __init__(
        self,
        request: ClaimRequest,
        backends: ClaimBackends,
        points: bytes,
        hold_ms: Callable[[], int],
        asked_s: float,
        *,
        by_redis: bool,
    ) -> None:
        self.request = request
        self._asked_s, self._stands_ms = asked_s, request.hold_ms
        self.lost = Event()
        self._backends = backends
        self._hold_ms = hold_ms
        self._by_redis = by_redis
        self._points = points
        self._ended = False
        self._lock = Lock()

    @property
    def table(self) -> str | None:
        """The DynamoDB table in which it lies, if it does."""
        return None if self._by_redis or self._backends.claims is None else self._backends.claims.table

    @property
    def sure_ms(self) -> int:
        """For how many milliseconds more nobody can take it over, by whatever clock within the margin."""
        held_ms = int((self._backends.clock.monotonic() - self._asked_s) * 1000)
        return self._stands_ms - SKEW_MARGIN_MS - held_ms

    def keep(self, points: bytes) -> bool:
        """Keep recovery points under the claim, which is renewed by that; False if it was lost.

        Raises:
            StoreUnavailableError: not known to be kept.
        """
        with self._lock:
            if self.ended or not self._held_on(points):
                return False
            self._points = points
            return True

    def live_on(self) -> bool:
        """Renew the claim; False if that is no use any more."""
        with self._lock:
            if self.ended:
                return False
            try:
                return self._held_on(self._points)
            except StoreUnavailableError as error:
                logger().warning("claim not renewed", extra={"store": error.store, "fault": error.kind})
                return True

    @property
    def ended(self) -> bool:
        """Whether it is settled, lost, or its handler has ended."""
        return self._ended or self.lost.is_set()

    def end(self) -> None:
        """Renew it no more, settled or not: the handler has ended, or was ended."""
        self._ended = True

    def settle(self, record: bytes | None, take_corrections: TakeCorrections) -> bool:
        """Store the answer, or give the claim up; False if another attempt took it over, and its answer counts.

        Args:
            record: the answer, or None.
            take_corrections: takes what is to be put right in Redis, which goes along if it is asked anyway.

        Raises:
            StoreUnavailableError: not known to be settled.
        """
        with self._lock:  # a renewal under way ends first: it must not hold anew what is given up
            self._ended = True
            return self._settled(record, take_corrections)

    def _held_on(self, points: bytes) -> bool:
        request, asked_s = self.request._replace(hold_ms=self._hold_ms()), self._backends.clock.monotonic()
        own = self._renewed_in_redis(request, points) if self._by_redis else self._guard.renew(request, points)
        if own:
            self._asked_s, self._stands_ms = asked_s, request.hold_ms
        else:
            self.lost.set()
            logger().warning("claim lost", extra={"claim": request.id, "attempt": request.attempt_id})
        return own

    def _renewed_in_redis(self, request: ClaimRequest, points: bytes) -> bool:
        settlement = Settlement(self._backends.subject, request, None, fenced=True, renews=True, points=points)
        try:
            return self._backends.stores.settle(settlement)
        except StoreUnavailableError:
            if self._backends.claims is None:
                raise
        return self._moved(request) and (not points or self._guard.renew(request, points))

    def _settled(self, record: bytes | None, take_corrections: TakeCorrections) -> bool:
        if not self._by_redis:
            return self._settled_by_guard(record, take_corrections)
        try:
            return self._in_redis(record, take_corrections)
        except StoreUnavailableError:
            if self._backends.claims is None or record is None:
                raise
        return self._moved(self.request) and self._settled_by_guard(record, take_corrections)

    def _settled_by_guard(self, record: bytes | None, take_corrections: TakeCorrections) -> bool:
        if record is None:
            return self._released(take_corrections)
        try:
            own = self._guard.complete(self.request, record)
        except StoreUnavailableError:
            if (sure_ms := self.sure_ms) > 0:
                self._backends.copy(self.request, self._marked_pending(record, sure_ms), take_corrections())
            raise
        if own:
            self._backends.copy(self.request, record, take_corrections())
        return own

    def _released(self, take_corrections: TakeCorrections) -> bool:
        self._guard.release(self.request)
        # Redis may hold a claim of this attempt, too. With points it stands until its time is up: that is what sends
        # the next attempt to the store that has them.
        if self.request.in_redis and not self._points:
            with suppress(StoreUnavailableError):
                self._in_redis(None, take_corrections)
        return True

    def _marked_pending(self, record: bytes, sure_ms: int) -> bytes:
        """Mark an answer as one that the claim store has yet to be told of."""
        pending = PendingSync(self.request.attempt_id, self._backends.clock.wall_us() // 1000 + sure_ms)
        return StoredResponse.decode(record)._replace(pending_sync=pending).encode()

    def _in_redis(self, record: bytes | None, take_corrections: TakeCorrections) -> bool:
        settlement = Settlement(
            self._backends.subject, self.request, record, fenced=True, corrections=take_corrections()
        )
        return self._backends.stores.settle(settlement)

    def _moved(self, request: ClaimRequest) -> bool:
        """Redis is gone: hold the claim where those who ask now look for it, unless one of them holds it already."""
        if not isinstance(self._guard.claim(request), Granted):
            return False
        self._by_redis = False
        return True

    @property
    def _guard(self) -> ClaimStore:
        if self._backends.claims is None:
            raise StoreUnavailableError("redis", "breaker-open", "Redis alone holds claims here")
        return self._backends.claims
