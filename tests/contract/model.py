"""What any store must say: the pure functions, and the rules of claims, over plain dictionaries."""

from __future__ import annotations

from dataclasses import dataclass, field

from tidegate.algorithms.token_bucket import take
from tidegate.question import ClaimAnswer, ClaimRequest, Completed, Granted, InProgress, LimitState, Mismatch, Question


@dataclass
class LimitsModel:
    """One subject's buckets."""

    tats: dict[str, int] = field(default_factory=dict)

    def admit(self, question: Question, now_us: int) -> tuple[bool, tuple[LimitState, ...]]:
        asked = [(c, self.tats.get(c.key)) for c in question.charges]
        taken = [take(tat, now_us, c.bucket, c.cost, c.known_debt_us) for c, tat in asked]
        admitted = all(t.allowed for t in taken)
        if admitted:
            self.tats.update({c.key: t.tat_us for (c, _), t in zip(asked, taken, strict=True)})
            return True, tuple(LimitState(True, t.remaining, 0, t.tat_us - now_us) for t in taken)
        before = [take(tat, now_us, c.bucket, 0, c.known_debt_us) for c, tat in asked]
        return False, tuple(
            LimitState(t.allowed, uncharged.remaining, t.retry_after_us, uncharged.tat_us - now_us)
            for t, uncharged in zip(taken, before, strict=True)
        )


@dataclass
class _Held:
    attempt_id: str
    fingerprint: str
    deadline_ms: int
    record: bytes | None = None
    points: bytes = b""


@dataclass
class ClaimsModel:
    """Every claim, none of which expires.

    With `lost_claims_count`, as in Redis, a claim that isn't there was lost with the server's data, and not taken
    over: what was done under it still counts, and giving up what isn't held is done at once.
    """

    lost_claims_count: bool = False
    held: dict[str, _Held] = field(default_factory=dict)

    def claim(self, request: ClaimRequest, now_ms: int) -> ClaimAnswer:
        held = self.held.get(request.id)
        if held is not None:
            if held.fingerprint != request.fingerprint:
                return Mismatch()
            if held.record is not None:
                return Completed(held.record)
            if held.attempt_id != request.attempt_id and held.deadline_ms > now_ms:
                return InProgress(held.deadline_ms - now_ms)
        points = held.points if held is not None else b""
        deadline = now_ms + request.hold_ms
        self.held[request.id] = _Held(request.attempt_id, request.fingerprint, deadline, points=points)
        return Granted(points)

    def renew(self, request: ClaimRequest, points: bytes, now_ms: int) -> bool:
        held = self.held.get(request.id)
        if held is None and self.lost_claims_count:
            held = self.held[request.id] = _Held(request.attempt_id, request.fingerprint, 0)
        if held is None or held.record is not None or held.attempt_id != request.attempt_id:
            return False
        held.deadline_ms = now_ms + request.hold_ms
        held.points = points or held.points
        return True

    def complete(self, request: ClaimRequest, record: bytes) -> bool:
        held = self.held.get(request.id)
        if held is None and self.lost_claims_count:
            held = self.held[request.id] = _Held(request.attempt_id, request.fingerprint, 0)
        if held is None or held.attempt_id != request.attempt_id:
            return False
        held.record, held.points = record, b""
        return True

    def release(self, request: ClaimRequest) -> bool:
        held = self.held.get(request.id)
        if held is None:
            return self.lost_claims_count
        if held.attempt_id != request.attempt_id:
            return False
        if held.record is not None:
            return self.lost_claims_count
        if held.points:
            held.attempt_id, held.deadline_ms = "", 0
        else:
            del self.held[request.id]
        return True
