"""Redis in memory, at the store's edge: what `admit.lua` and `settle.lua` do, in Python."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

from tests.contract.model import LimitsModel
from tests.simulation.idempotency_links import Link, Power
from tidegate.clock import Clock
from tidegate.messages import (
    Answer,
    ClaimAnswer,
    ClaimRequest,
    Completed,
    Granted,
    InProgress,
    Mismatch,
    Question,
    Settlement,
    Unknown,
)
from tidegate.stores.redis.outage import OutageTimer


@dataclass(frozen=True)
class Kept:
    """One key's hash."""

    fingerprint: str
    attempt: str
    expires_ms: int
    deadline_ms: int = 0
    record: bytes | None = None


class SimulatedRedis(Power):
    """The server: its own clock, its keys' expiry, and the ways in which it forgets."""

    def __init__(self, now_us: Callable[[], int]) -> None:
        super().__init__()
        self._now_us = now_us
        self._kept: dict[str, Kept] = {}
        self._buckets: dict[str, LimitsModel] = {}
        self._replica: dict[str, Kept] = {}

    def restart_empty(self) -> None:
        self._kept, self._buckets = {}, {}

    def replicate(self) -> None:
        """What a replica has got so far; acknowledged writes after that are not on it."""
        self._replica = dict(self._kept)

    def fail_over(self) -> None:
        """The replica is promoted: whatever came after `replicate` never was."""
        self._kept = dict(self._replica)

    def admit(self, question: Question) -> Answer:
        now_ms = self._now_us() // 1000
        known = Unknown() if question.claim is None else self._recall(question.claim, now_ms)
        answered = not isinstance(known, Unknown)
        bucket = self._buckets.setdefault(question.subject, LimitsModel())
        admitted, limits = (deepcopy(bucket) if answered else bucket).admit(question, self._now_us())
        if question.claim is None:
            return Answer(admitted, limits, None, "redis")
        if admitted and not answered and question.claim.in_redis:
            self._hold(question.claim, now_ms)
            known = Granted()
        return Answer(admitted or answered, limits, known, "redis")

    def settle(self, settlement: Settlement) -> bool:
        claim, now_ms = settlement.claim, self._now_us() // 1000
        held = self._alive(claim.id, now_ms)
        if settlement.fenced and held and held.attempt != claim.attempt_id:
            return False
        if settlement.record is None:
            if held is None or held.record is None:
                self._kept.pop(claim.id, None)
            return True
        deadline = held.deadline_ms if held else 0
        expires = now_ms + claim.lifetime_ms
        self._kept[claim.id] = Kept(claim.fingerprint, claim.attempt_id, expires, deadline, settlement.record)
        return True

    def _recall(self, claim: ClaimRequest, now_ms: int) -> ClaimAnswer | Unknown:
        held = self._alive(claim.id, now_ms)
        if held is None:
            return Unknown()
        if held.fingerprint != claim.fingerprint:
            return Mismatch()
        if held.record is not None:
            return Completed(held.record)
        if held.attempt != claim.attempt_id and held.deadline_ms > now_ms:
            return InProgress(held.deadline_ms - now_ms)
        return Unknown()

    def _hold(self, claim: ClaimRequest, now_ms: int) -> None:
        self._kept[claim.id] = Kept(claim.fingerprint, claim.attempt_id, now_ms + claim.kept_ms, now_ms + claim.hold_ms)

    def _alive(self, key: str, now_ms: int) -> Kept | None:
        held = self._kept.get(key)
        return held if held and held.expires_ms > now_ms else None


class SimulatedRedisStore:
    """Stands where `RedisStore` does, for one environment."""

    name = "redis"

    def __init__(self, link: Link, server: SimulatedRedis, clock: Clock) -> None:
        self._link, self._server = link, server
        self.away = OutageTimer(clock)

    def admit(self, question: Question) -> Answer:
        return self._link.through(lambda: self._server.admit(question))

    def settle(self, settlement: Settlement) -> bool:
        return self._link.through(lambda: self._server.settle(settlement))

    def probe(self, patience_s: float | None = None) -> None:
        del patience_s
        self._link.through(lambda: None)

    def close(self) -> None:
        """Nothing to let go of."""
