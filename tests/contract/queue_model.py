"""What must become of queued requests, over plain dictionaries."""

from __future__ import annotations

from dataclasses import dataclass, field

from tidegate.overflow.state import ENDED, MOST_RUNS, REACHED_FROM, RequestState


@dataclass
class _Kept:
    nonce: str
    fingerprint: str
    expires_ms: int
    state: RequestState = "queued"
    runs: int = 0


@dataclass
class QueueModel:
    """One principal's queue, of requests that are named by their keys."""

    bound: int
    expiry_ms: int
    kept: dict[str, _Kept] = field(default_factory=dict)
    waiting: dict[str, int] = field(default_factory=dict)  # key to when its place ends
    promised: set[str] = field(default_factory=set)  # whose clients were told 202

    def state(self, key: str) -> RequestState | None:
        return self.kept[key].state if key in self.kept else None

    def accept(self, key: str, fingerprint: str, nonce: str, now_ms: int, fails: bool) -> str:
        alive = {at: ends for at, ends in self.waiting.items() if ends > now_ms}
        if key not in alive and len(alive) >= self.bound:
            return "full"
        self.waiting.setdefault(key, 0)
        if self.waiting[key] <= now_ms:
            self.waiting[key] = now_ms + self.expiry_ms
        old = self.kept.get(key)
        if old is None or old.state in REACHED_FROM["queued"] or (old.state == "queued" and old.expires_ms <= now_ms):
            self.kept[key] = _Kept(nonce, fingerprint, self.waiting[key])
        kept = self.kept[key]
        if kept.state in ENDED:
            del self.waiting[key]
        if kept.fingerprint != fingerprint:
            return "other payload"
        if kept.state == "queued" and fails:
            if kept.nonce == nonce:  # its own, and nobody else has sent it
                self.move(key, "cancelled")
                self.promised.discard(key)
            return "unavailable"
        self.promised.add(key)
        return "accepted"

    def runnable(self, key: str, nonce: str) -> bool:
        kept = self.kept.get(key)
        return kept is not None and kept.nonce == nonce and kept.state not in ENDED

    def begin(self, key: str, nonce: str, now_ms: int) -> bool:
        kept = self.kept[key]
        if not self.runnable(key, nonce) or kept.runs >= MOST_RUNS:
            return False
        if kept.state == "queued" and kept.expires_ms <= now_ms:
            return False
        kept.state, kept.runs = "running", kept.runs + 1
        return True

    def cancel(self, key: str) -> bool:
        if self.kept[key].state != "queued":
            return False
        self.move(key, "cancelled")
        return True

    def move(self, key: str, to: RequestState) -> None:
        self.kept[key].state = to
        self.waiting.pop(key, None)
