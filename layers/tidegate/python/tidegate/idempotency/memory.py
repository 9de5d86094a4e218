"""Idempotency claims in one process's memory: for `TIDEGATE_STORE=memory`, where nothing is shared.

The rules are DynamoDB's (see `dynamodb_claims`), under one lock. Memory ends: what one principal may hold is bounded,
and what all may. A claim that is held, and an answer whose lifetime isn't over, are never forgotten for another's: who
is beyond a bound is refused before anything is done.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from math import inf
from threading import Lock

from tidegate.clock import Clock
from tidegate.errors import StoreUnavailableError
from tidegate.messages import ClaimAnswer, ClaimRequest, Completed, Granted, InProgress, Mismatch, OutcomeUnknown

CLAIMS, CLAIMS_OF_ONE = 100_000, 10_000
BYTES, BYTES_OF_ONE = 160 * 1024 * 1024, 16 * 1024 * 1024
_SWEPT_EVERY_S = 1.0
_NOBODY = ""


@dataclass(frozen=True, slots=True)
class _Held:
    owner: str
    attempt_id: str
    fingerprint: str
    deadline_us: int
    expires_us: int
    record: bytes | None = None
    points: bytes = b""

    @property
    def size(self) -> int:
        return len(self.record or b"") + len(self.points)


class MemoryClaims:
    """Guards effects in one process.

    Args:
        clock: where the time comes from.
        capacity: claims kept in all.
        per_owner: claims kept of one principal.
    """

    table = None

    def __init__(self, clock: Clock, capacity: int = CLAIMS, per_owner: int = CLAIMS_OF_ONE) -> None:
        self._clock = clock
        self._capacity = capacity
        self._per_owner = per_owner
        self._claims: dict[str, _Held] = {}
        self._counts: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        self._size = 0
        self._swept_at = -inf
        self._lock = Lock()

    def claim(self, request: ClaimRequest) -> ClaimAnswer:
        """Take the claim if it is free, its own, or left behind.

        Raises:
            StoreUnavailableError: there is no room for it.
        """
        now = self._clock.wall_us()
        with self._lock:
            held = self._claims.get(request.id)
            if held is None or held.expires_us <= now:
                self._make_room(request, now)
                self._hold(request, now)
                return Granted()
            if held.fingerprint != request.fingerprint:
                return Mismatch()
            if held.record is not None:
                return Completed(held.record)
            if held.attempt_id != request.attempt_id and held.deadline_us > now:
                return InProgress(retry_after_ms=-(-(held.deadline_us - now) // 1000))
            if request.holds_unknown and held.attempt_id not in {request.attempt_id, _NOBODY}:
                return OutcomeUnknown(held.attempt_id, held.points)
            self._hold(request, now, held.points)
            return Granted(held.points, taken_over=held.attempt_id != request.attempt_id)

    def recall(self, request: ClaimRequest) -> Completed | None:
        """Return the stored answer, if it is this request's."""
        held = self._claims.get(request.id)
        alive = held is not None and held.expires_us > self._clock.wall_us()
        if held is None or not alive or held.record is None or held.fingerprint != request.fingerprint:
            return None
        return Completed(held.record)

    def renew(self, request: ClaimRequest, points: bytes = b"") -> bool:
        """Hold the claim anew if the attempt still holds it."""
        with self._lock:
            held = self._own(request)
            if held is None or held.record is not None:
                return False
            self._hold(request, self._clock.wall_us(), points or held.points)
            return True

    def complete(self, request: ClaimRequest, record: bytes) -> bool:
        """Store the answer if the attempt still holds the claim; there is room for whoever was let in."""
        with self._lock:
            held = self._own(request)
            if held is None:
                return False
            expires = self._clock.wall_us() + request.lifetime_ms * 1000
            self._put(request.id, replace(held, expires_us=expires, record=record, points=b""))
            return True

    def release(self, request: ClaimRequest) -> bool:
        """Forget the claim if the attempt holds it and nothing was stored; leave it to anybody if it has points."""
        with self._lock:
            held = self._own(request)
            if held is None or held.record is not None:
                return False
            if held.points:
                self._put(request.id, replace(held, attempt_id=_NOBODY, deadline_us=0))
            else:
                self._drop(request.id)
            return True

    def _own(self, request: ClaimRequest) -> _Held | None:
        held = self._claims.get(request.id)
        return held if held is not None and held.attempt_id == request.attempt_id else None

    def _hold(self, request: ClaimRequest, now: int, points: bytes = b"") -> None:
        deadline, expires = now + request.hold_ms * 1000, now + request.kept_ms * 1000
        held = _Held(request.owner, request.attempt_id, request.fingerprint, deadline, expires, points=points)
        self._put(request.id, held)

    def _make_room(self, request: ClaimRequest, now: int) -> None:
        """Let go of what has expired, if there is no room otherwise; that is looked for once a second."""
        self._drop(request.id)
        if self._has_room(request.owner):
            return
        if self._clock.monotonic() - self._swept_at >= _SWEPT_EVERY_S:
            self._swept_at = self._clock.monotonic()
            for claim_id in [claim_id for claim_id, held in self._claims.items() if held.expires_us <= now]:
                self._drop(claim_id)
        if not self._has_room(request.owner):
            raise StoreUnavailableError("memory", "out-of-memory", "as many claims are kept as there may be")

    def _has_room(self, owner: str) -> bool:
        in_all = len(self._claims) < self._capacity and self._size < BYTES
        return in_all and self._counts[owner] < self._per_owner and self._bytes[owner] < BYTES_OF_ONE

    def _put(self, claim_id: str, held: _Held) -> None:
        self._drop(claim_id)
        self._claims[claim_id] = held
        self._counts[held.owner] += 1
        self._bytes[held.owner] += held.size
        self._size += held.size

    def _drop(self, claim_id: str) -> None:
        held = self._claims.pop(claim_id, None)
        if held is None:
            return
        self._counts[held.owner] -= 1
        self._bytes[held.owner] -= held.size
        self._size -= held.size
        if not self._counts[held.owner]:
            del self._counts[held.owner], self._bytes[held.owner]
