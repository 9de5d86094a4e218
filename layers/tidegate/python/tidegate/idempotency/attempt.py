"""A request's attempt to claim its idempotency key, before its handler runs; an answer once given is recalled."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from tidegate.admission import Claim
from tidegate.environment import Environment
from tidegate.errors import StoreUnavailableError
from tidegate.idempotency import protocol
from tidegate.idempotency.held_claim import ClaimBackends, HeldClaim
from tidegate.idempotency.protocol import Found
from tidegate.idempotency.recovery import RecoveryPoints, read_points
from tidegate.idempotency.renewal import hold_ms, is_bounded
from tidegate.messages import (
    Answer,
    ClaimAnswer,
    ClaimRequest,
    Completed,
    Granted,
    OutcomeUnknown,
    Unknown,
    Unreadable,
)
from tidegate.telemetry import logger
from tidegate.web.problems import Problem
from tidegate.web.stored_response import StoredResponse

if TYPE_CHECKING:
    from starlette.types import Scope

    from tidegate.idempotency.unknown_outcome import Find
    from tidegate.web.body import Body


class ClaimAttempt:
    """One request's attempt to hold its claim.

    Args:
        request: the claim that is wished for.
        subject: as in the question.
        environment: holds the stores.
        scope: the HTTP request's.
        body: its body.
        find: looks up what became of an attempt whose outcome isn't known; None: nothing does.
    """

    def __init__(
        self,
        request: ClaimRequest,
        subject: str,
        environment: Environment,
        scope: Scope,
        body: Body,
        find: Find | None = None,
    ) -> None:
        self.request = request
        self._subject = subject
        self._environment = environment
        self._backends = ClaimBackends(subject, environment.stores, environment.claims, environment.clock)
        self._asked_s = environment.clock.monotonic()
        self._scope = scope
        self._body = body
        self._find = find
        self._context = scope.get("aws.context")
        self._held: HeldClaim | None = None
        self._points = b""

    async def take(self, answer: Answer) -> Found | None:
        """Become the claim's holder (None); where Redis knows no answer, the store that guards claims decides.

        Raises:
            StoreUnavailableError: nobody can hold the claim.
        """
        known = await self._decided(answer.claim)
        by_redis = known is answer.claim
        if isinstance(known, OutcomeUnknown):
            known, by_redis = await self._looked_up(known), self.request.in_redis
        if isinstance(known, Granted):
            self._hold(known, by_redis=by_redis)
            try:
                read_points(known.points)
            except ValueError:
                known = await self._left()
        return self._read(known)

    async def recall(self, answer: Answer) -> Found | None:
        """Replay even where a limit refuses: who was answered once must be able to read that answer again.

        Redis looks in the decision's own round trip; where another store decided, the claim store is read.
        """
        store = self._environment.claims
        if store is None or answer.claim is not None:
            return None
        if (beyond := self._environment.replays.refusal(self._subject)) is not None:
            return Found(beyond)
        try:
            known = await self._environment.claiming(lambda: store.recall(self.request))
        except StoreUnavailableError:
            return None
        return self._read(known) if known else None

    def told(self) -> tuple[Claim, RecoveryPoints]:
        """Return what the handler is told of the claim that is held."""
        held = self.held
        claim = Claim(self.request.id, self.request.attempt_id, held.table, held.lost)
        return claim, RecoveryPoints(self._points, held.keep, self._environment.claiming)

    def end(self) -> None:
        """Renew the claim no more, if it was held."""
        if self._held is not None:
            self._held.end()

    @property
    def held(self) -> HeldClaim:
        """The claim, once it is held."""
        if self._held is None:
            raise LookupError("the claim isn't held")
        return self._held

    async def _decided(self, by_redis: ClaimAnswer | Unknown | None) -> ClaimAnswer:
        if by_redis is None or isinstance(by_redis, Unknown):
            return await self._environment.claiming(self._ask_guard)
        if isinstance(by_redis, Granted) and by_redis.taken_over and self._environment.claims is not None:
            return await self._environment.claiming(lambda: self._ask_for_what_moved(by_redis))
        if isinstance(by_redis, Completed):
            return await self._sync_to_claim_store(by_redis)
        if isinstance(by_redis, Unreadable):
            return await self._recalled()
        return by_redis

    async def _recalled(self) -> ClaimAnswer:
        """Look whether the claim store has an answer that is damaged in Redis; nothing is claimed, and so nothing run.

        Raises:
            StoreUnavailableError: it can't be asked.
        """
        claims = self._environment.claims
        known = None if claims is None else await self._environment.claiming(lambda: claims.recall(self.request))
        if known is None:
            return Unreadable()
        await self._environment.claiming(lambda: self._backends.copy(self.request, known.record))
        return known

    async def _looked_up(self, unknown: OutcomeUnknown) -> ClaimAnswer:
        """Let the application find out what became of the silent attempt, and ask for the claim again if it has.

        Raises:
            StoreUnavailableError: what was found isn't known to be kept.
        """
        from tidegate.idempotency.unknown_outcome import LookUp, UnknownClaim  # noqa: PLC0415  few requests need it

        claim = UnknownClaim(self._subject, self.request._replace(attempt_id=unknown.attempt_id))
        found = await LookUp(self._find, self._scope, self._body).outcome(self.request.id, unknown)
        if found is None:
            logger().error("outcome unknown", extra={"claim": claim.name, "attempt": unknown.attempt_id})
            return unknown
        await claim.decide(found, self._environment)
        return await claim.ask(self.request, self._environment)

    async def _left(self) -> ClaimAnswer:
        """Leave a claim whose recovery points can't be read to whoever mends it; with points it isn't free."""
        with suppress(StoreUnavailableError):  # its hold ends by itself
            await self._environment.claiming(lambda: self.held.settle(None, tuple))
        self._held = None
        return Unreadable()

    def _read(self, known: ClaimAnswer) -> Found | None:
        found = protocol.read(known)
        if found is not None and isinstance(found.known, Problem) and found.known.type == protocol.UNREADABLE:
            logger().error("claim unreadable", extra={"claim": self.request.id})
        return found

    async def _sync_to_claim_store(self, answer: Completed) -> ClaimAnswer:
        """Tell the claim store of an answer that only Redis knows; if another one counts there, give that.

        Raises:
            StoreUnavailableError: it can't be told, and by now another attempt may have given another answer.
        """
        try:
            response = StoredResponse.decode(answer.record)
        except ValueError:
            return await self._recalled()
        claims, pending = self._environment.claims, response.pending_sync
        if claims is None or pending is None:
            return answer
        theirs, record = (
            self.request._replace(attempt_id=pending.attempt_id),
            response._replace(pending_sync=None).encode(),
        )
        try:
            counts = await self._environment.claiming(lambda: claims.complete(theirs, record))
        except StoreUnavailableError:
            if self._environment.clock.wall_us() // 1000 >= pending.until_ms:
                raise
            return Completed(record)
        if not counts:
            return await self._environment.claiming(self._ask_guard)
        await self._environment.claiming(lambda: self._backends.copy(theirs, record))
        return Completed(record)

    def _ask_guard(self) -> ClaimAnswer:
        if self._environment.claims is None:
            raise StoreUnavailableError("redis", "breaker-open", "Redis alone holds claims here")
        return self._environment.claims.claim(self.request)

    def _ask_for_what_moved(self, left: Granted) -> ClaimAnswer:
        """A claim that stood in Redis too long may have moved to the other store while Redis couldn't be reached."""
        try:
            known = self._ask_guard()
        except StoreUnavailableError:
            return left
        if isinstance(known, Completed):
            self._backends.copy(self.request, known.record)
        return Granted(known.points or left.points) if isinstance(known, Granted) else known

    def _hold(self, granted: Granted, *, by_redis: bool) -> None:
        held = HeldClaim(
            self.request,
            self._backends,
            granted.points,
            lambda: hold_ms(self._context),
            self._asked_s,
            by_redis=by_redis,
        )
        self._held, self._points = held, granted.points
        if not is_bounded(self._context):
            self._environment.renewer.keep(held)
