"""The claim's part of a request's way: it is taken before the handler runs, and an answer once given is recalled."""

from __future__ import annotations

from typing import Any

from tidegate.admission import Claim
from tidegate.errors import StoreUnavailableError
from tidegate.http import Problem
from tidegate.lifecycle import Environment
from tidegate.mechanisms import idempotency
from tidegate.mechanisms.holding import Holding, Keepers
from tidegate.mechanisms.idempotency import Replay
from tidegate.mechanisms.recovery import RecoveryPoints
from tidegate.mechanisms.renewal import hold_ms, is_bounded
from tidegate.question import Answer, ClaimAnswer, ClaimRequest, Completed, Granted, Unknown
from tidegate.record import StoredResponse


class Claiming:
    """One request's claim.

    Args:
        request: the claim that is wished for.
        subject: as in the question.
        environment: holds the stores.
        context: the Lambda invocation's, or None.
    """

    def __init__(self, request: ClaimRequest, subject: str, environment: Environment, context: Any) -> None:
        self.request = request
        self._environment = environment
        self._keepers = Keepers(subject, environment.stores, environment.claims, environment.clock)
        self._asked_s = environment.clock.monotonic()
        self._context = context
        self._holding: Holding | None = None
        self._points = b""

    async def take(self, answer: Answer) -> Problem | Replay | None:
        """Become the claim's holder (None); where Redis knows no answer, the store that guards claims decides.

        Raises:
            StoreUnavailableError: nobody can hold the claim.
        """
        by_redis = isinstance(answer.claim, Granted)
        known = await self._decided(answer.claim)
        if isinstance(known, Granted):
            self._hold(known, by_redis=by_redis and known is answer.claim)
        return idempotency.read(known)

    async def recall(self, answer: Answer) -> Problem | Replay | None:
        """Replay even where a limit refuses: who was answered once must be able to read that answer again.

        Redis looks in the decision's own round trip; where another store decided, the claim store is read.
        """
        store = self._environment.claims
        if store is None or answer.claim is not None:
            return None
        try:
            known = await self._environment.call(lambda: store.recall(self.request))
        except StoreUnavailableError:
            return None
        return idempotency.read(known) if known else None

    def told(self) -> tuple[Claim, RecoveryPoints]:
        """Return what the handler is told of the claim that is held."""
        holding = self.holding
        claim = Claim(self.request.id, self.request.attempt_id, holding.table, holding.lost)
        return claim, RecoveryPoints(self._points, holding.keep, self._environment.call)

    def end(self) -> None:
        """Renew the claim no more, if it was held."""
        if self._holding is not None:
            self._holding.end()

    @property
    def holding(self) -> Holding:
        """The claim, once it is held."""
        if self._holding is None:
            raise LookupError("the claim isn't held")
        return self._holding

    async def _decided(self, by_redis: ClaimAnswer | Unknown | None) -> ClaimAnswer:
        if by_redis is None or isinstance(by_redis, Unknown):
            return await self._environment.call(self._ask_guard)
        if isinstance(by_redis, Granted) and by_redis.taken_over and self._environment.claims is not None:
            return await self._environment.call(lambda: self._ask_for_what_moved(by_redis))
        if isinstance(by_redis, Completed):
            return await self._told_home(by_redis)
        return by_redis

    async def _told_home(self, answer: Completed) -> ClaimAnswer:
        """Tell the claim store of an answer that only Redis knows; if another one counts there, give that.

        Raises:
            StoreUnavailableError: it can't be told, and by now another attempt may have given another answer.
        """
        response = StoredResponse.decode(answer.record)
        claims, owed = self._environment.claims, response.owed
        if claims is None or owed is None:
            return answer
        theirs, record = self.request._replace(attempt_id=owed.attempt_id), response._replace(owed=None).encode()
        try:
            counts = await self._environment.call(lambda: claims.complete(theirs, record))
        except StoreUnavailableError:
            if self._environment.clock.wall_us() // 1000 >= owed.until_ms:
                raise
            return Completed(record)
        if not counts:
            return await self._environment.call(self._ask_guard)
        await self._environment.call(lambda: self._keepers.copy(theirs, record))
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
            self._keepers.copy(self.request, known.record)
        return Granted(known.points or left.points) if isinstance(known, Granted) else known

    def _hold(self, granted: Granted, *, by_redis: bool) -> None:
        holding = Holding(
            self.request,
            self._keepers,
            granted.points,
            lambda: hold_ms(self._context),
            self._asked_s,
            by_redis=by_redis,
        )
        self._holding, self._points = holding, granted.points
        if not is_bounded(self._context):
            self._environment.renewer.keep(holding)
