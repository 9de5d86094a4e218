"""Idempotency claims in one process's memory: for `TIDEGATE_STORE=memory`, where nothing is shared.

The rules are DynamoDB's (see `dynamodb_claims`), under one lock.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from threading import Lock

from tidegate.clock import Clock
from tidegate.question import ClaimAnswer, ClaimRequest, Completed, Granted, InProgress, Mismatch


@dataclass(frozen=True, slots=True)
class _Held:
    attempt_id: str
    fingerprint: str
    deadline_us: int
    expires_us: int
    record: bytes | None = None
    points: bytes = b""


class MemoryClaims:
    """Guards effects in one process.

    Args:
        clock: where the time comes from.
        capacity: claims kept; beyond it the oldest one is forgotten.
    """

    table = None

    def __init__(self, clock: Clock, capacity: int = 10_000) -> None:
        self._clock = clock
        self._capacity = capacity
        self._claims: OrderedDict[str, _Held] = OrderedDict()
        self._lock = Lock()

    def claim(self, request: ClaimRequest) -> ClaimAnswer:
        """Take the claim if it is free, its own, or left behind."""
        now = self._clock.wall_us()
        with self._lock:
            held = self._claims.get(request.id)
            if held is None or held.expires_us <= now:
                self._hold(request, now)
                return Granted()
            if held.fingerprint != request.fingerprint:
                return Mismatch()
            if held.record is not None:
                return Completed(held.record)
            if held.attempt_id == request.attempt_id or held.deadline_us <= now:
                self._hold(request, now, held.points)
                return Granted(held.points, taken_over=held.attempt_id != request.attempt_id)
            return InProgress(retry_after_ms=-(-(held.deadline_us - now) // 1000))

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
        """Store the answer if the attempt still holds the claim."""
        with self._lock:
            held = self._own(request)
            if held is None:
                return False
            expires = self._clock.wall_us() + request.lifetime_ms * 1000
            self._claims[request.id] = replace(held, expires_us=expires, record=record, points=b"")
            return True

    def release(self, request: ClaimRequest) -> bool:
        """Forget the claim if the attempt holds it and nothing was stored; leave it to anybody if it has points."""
        with self._lock:
            held = self._own(request)
            if held is None or held.record is not None:
                return False
            if held.points:
                self._claims[request.id] = replace(held, attempt_id="", deadline_us=0)
            else:
                del self._claims[request.id]
            return True

    def _own(self, request: ClaimRequest) -> _Held | None:
        held = self._claims.get(request.id)
        return held if held is not None and held.attempt_id == request.attempt_id else None

    def _hold(self, request: ClaimRequest, now: int, points: bytes = b"") -> None:
        deadline, expires = now + request.hold_ms * 1000, now + request.kept_ms * 1000
        self._claims[request.id] = _Held(request.attempt_id, request.fingerprint, deadline, expires, points=points)
        self._claims.move_to_end(request.id)
        if len(self._claims) > self._capacity:
            self._claims.popitem(last=False)
