"""The store that is always there: this environment's own memory.

It is the last rung of the ladder, and the whole store of a single process (`TIDEGATE_STORE=memory`).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

from tidegate.algorithms.token_bucket import take
from tidegate.clock import Clock
from tidegate.question import (
    Answer,
    ClaimAnswer,
    ClaimRequest,
    Completed,
    Granted,
    InProgress,
    Mismatch,
    Question,
    Settlement,
    limit_states,
)


@dataclass(frozen=True, slots=True)
class _Held:
    attempt_id: str
    fingerprint: str
    deadline_us: int
    expires_us: int
    record: bytes | None


class MemoryStore:
    """Decisions and claims in one process, with the pure algorithms.

    Args:
        clock: where the time comes from.
        capacity: buckets (and as many claims) kept; beyond it the one unused for longest is forgotten.
    """

    name = "memory"
    table = None

    def __init__(self, clock: Clock, capacity: int = 10_000) -> None:
        self._clock = clock
        self._capacity = capacity
        self._tats: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._claims: OrderedDict[str, _Held] = OrderedDict()
        self._lock = Lock()

    def admit(self, question: Question) -> Answer:
        """Decide with the pure functions; claims are asked of `claim`."""
        now = self._clock.wall_us()
        with self._lock:
            taken = [
                take(self._tats.get((question.subject, c.key)), now, c.bucket, c.cost, c.known_debt_us)
                for c in question.charges
            ]
            admitted = all(t.allowed for t in taken)
            if admitted:
                for charge, t in zip(question.charges, taken, strict=True):
                    self._remember((question.subject, charge.key), t.tat_us)
        return Answer(admitted, limit_states(question, taken, now, charged=admitted), claim=None, store=self.name)

    def settle(self, settlement: Settlement) -> bool:
        """Complete or release a claim that this store holds; anything else isn't its to keep."""
        if not settlement.fenced:
            return True
        if settlement.record is None:
            return self.release(settlement.claim)
        return self.complete(settlement.claim, settlement.record)

    def probe(self, patience_s: float | None = None) -> None:
        """Memory always answers."""

    def close(self) -> None:
        """Nothing to let go of."""

    def claim(self, request: ClaimRequest) -> ClaimAnswer:
        """Take the claim if it is free, its own, or left behind."""
        now = self._clock.wall_us()
        with self._lock:
            held = self._claims.get(request.id)
            if held is None or held.expires_us <= now:
                return self._hold(request, now)
            if held.fingerprint != request.fingerprint:
                return Mismatch()
            if held.record is not None:
                return Completed(held.record)
            if held.attempt_id == request.attempt_id or held.deadline_us <= now:
                return self._hold(request, now)
            return InProgress(retry_after_ms=-(-(held.deadline_us - now) // 1000))

    def recall(self, request: ClaimRequest) -> Completed | None:
        """Return the stored answer, if it is this request's."""
        held = self._claims.get(request.id)
        alive = held is not None and held.expires_us > self._clock.wall_us()
        if held is None or not alive or held.record is None or held.fingerprint != request.fingerprint:
            return None
        return Completed(held.record)

    def complete(self, request: ClaimRequest, record: bytes) -> bool:
        """Store the answer if the attempt still holds the claim."""
        with self._lock:
            held = self._claims.get(request.id)
            if held is None or held.attempt_id != request.attempt_id:
                return False
            expires = self._clock.wall_us() + request.lifetime_ms * 1000
            self._claims[request.id] = _Held(held.attempt_id, held.fingerprint, held.deadline_us, expires, record)
            return True

    def release(self, request: ClaimRequest) -> bool:
        """Forget the claim if the attempt holds it and nothing was stored."""
        with self._lock:
            held = self._claims.get(request.id)
            if held is None or held.attempt_id != request.attempt_id or held.record is not None:
                return False
            del self._claims[request.id]
            return True

    def _hold(self, request: ClaimRequest, now: int) -> Granted:
        deadline = now + request.hold_ms * 1000
        self._claims[request.id] = _Held(
            request.attempt_id, request.fingerprint, deadline, now + request.kept_ms * 1000, record=None
        )
        self._claims.move_to_end(request.id)
        if len(self._claims) > self._capacity:
            self._claims.popitem(last=False)
        return Granted()

    def _remember(self, key: tuple[str, str], tat_us: int) -> None:
        self._tats[key] = tat_us
        self._tats.move_to_end(key)
        if len(self._tats) > self._capacity:
            self._tats.popitem(last=False)
