"""What may become of a queued request: the states, and from which one each may be reached.

queued ─┬─ running ─┬─ done
│           └─ failed        begun too often, and never ended
├─ done                      its client asked again meanwhile, and that ran it
├─ cancelled                 by its owner, or because it couldn't be sent
└─ expired                   nobody came to run it in time
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

# In every answer about a request, and in a request's own answer when it is read later.
STATE_FIELD = b"tidegate-request-state"

RequestState = Literal["queued", "running", "done", "failed", "cancelled", "expired"]

REACHED_FROM: Mapping[RequestState, tuple[RequestState, ...]] = MappingProxyType(
    {
        "queued": ("cancelled", "expired"),  # accepted anew, under the same idempotency key: nothing has run
        "running": ("queued", "running"),  # again, after a worker died with it
        "done": ("queued", "running"),
        "failed": ("running",),
        "cancelled": ("queued",),
        "expired": ("queued",),
    }
)
ENDED: frozenset[RequestState] = frozenset({"done", "failed", "cancelled", "expired"})

# A run that kills its process, or asks five times to come again, is not begun a sixth time.
MOST_RUNS = 5


class QueuedItem(NamedTuple):
    """A queued request as it is kept.

    Attributes:
        id: its name, which its client polls; unguessable or an idempotency key's digest.
        nonce: this acceptance's: a message of another acceptance under the same id is void.
        state: where it stands.
        principal: its owner.
        queue: the digest that names its owner's queue, and the message group.
        place: its place in that queue: the digest of its idempotency key, or of its payload.
        fingerprint: its payload's.
        expires_ms: after this it isn't begun; epoch milliseconds.
        runs: how often it was begun.
        request: as `QueuedRequest.encode` wrote it; empty once it has ended.
        record: the answer, as `StoredResponse.encode` wrote it; empty until it is done.
        parts: in how many further items the answer goes on.
    """

    id: str
    nonce: str
    state: RequestState
    principal: str
    queue: str
    place: str
    fingerprint: str
    expires_ms: int
    runs: int = 0
    request: bytes = b""
    record: bytes = b""
    parts: int = 0

    def has_expired(self, now_ms: int) -> bool:
        """Whether it waits, and waits in vain."""
        return self.state == "queued" and self.expires_ms <= now_ms

    def state_at(self, now_ms: int) -> RequestState:
        """Return the state as its owner sees it: one that waits in vain has expired, whoever has noticed."""
        return "expired" if self.has_expired(now_ms) else self.state
