"""What any store must say: the pure functions, and the rules of claims, over plain dictionaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tidegate.decision import LimitState, State
from tidegate.messages import (
    Charge,
    ClaimAnswer,
    ClaimRequest,
    Completed,
    Granted,
    InProgress,
    Mismatch,
    OutcomeUnknown,
    Question,
)


@dataclass
class LimitsModel:
    """Every limit's state, by subject, key and kind."""

    states: dict[tuple[str, str, str], State] = field(default_factory=dict)

    def admit(self, question: Question, now_us: int) -> tuple[bool, tuple[LimitState, ...]]:
        places = [(question.subject_of(c), c.key, c.rule.kind) for c in question.charges]
        decided = [c.decide(self.states.get(at), now_us) for at, c in zip(places, question.charges, strict=True)]
        admitted = all(d.allowed or c.shadow for d, c in zip(decided, question.charges, strict=True))
        if not admitted or question.peek:
            return admitted, tuple(d.uncharged for d in decided)
        self.states |= {at: d.kept for at, d in zip(places, decided, strict=True) if d.allowed}
        return True, tuple(d.charged if d.allowed else d.uncharged for d in decided)

    def correct(self, subject: str, charges: Sequence[Charge], now_us: int) -> None:
        for charge in charges:
            at = (charge.subject or subject, charge.key, charge.rule.kind)
            self.states[at] = charge.rule.corrected(self.states.get(at), now_us, charge.cost, charge.known)


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
            if request.holds_unknown and held.attempt_id not in {request.attempt_id, ""}:
                return OutcomeUnknown(held.attempt_id, held.points)
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
