"""The states of a queued request, and from which ones each may be reached.

queued ─┬─ running ─┬─ done
│           └─ failed        begun too often, and never ended
├─ failed                    its stored form can't be read
├─ done                      its client sent it again meanwhile, and that request ran
├─ cancelled                 by its owner, or because it couldn't be sent
└─ expired                   no worker began it in time

An operator may send a failed request's dead letter back: then it is queued again, at the same address.
"""

from __future__ import annotations

from collections.abc import Mapping
from hmac import compare_digest
from types import MappingProxyType
from typing import Literal, NamedTuple, get_args

# A field of every response about a queued request, and of its own response when that is read later.
STATE_FIELD = b"tidegate-request-state"

RequestState = Literal["queued", "running", "done", "failed", "cancelled", "expired"]

REACHED_FROM: Mapping[RequestState, tuple[RequestState, ...]] = MappingProxyType(
    {
        "queued": ("cancelled", "expired"),  # accepted again under the same idempotency key, as nothing has run
        "running": ("queued", "running"),  # again, after a worker died with it
        "done": ("queued", "running"),
        "failed": ("queued", "running"),
        "cancelled": ("queued",),
        "expired": ("queued",),
    }
)
STATES: frozenset[str] = frozenset(get_args(RequestState))
ENDED: frozenset[RequestState] = frozenset({"done", "failed", "cancelled", "expired"})

# A run that kills its process, or asks to be retried, is not begun a sixth time.
MOST_RUNS = 5


class QueuedItem(NamedTuple):
    """A queued request as it is kept.

    Attributes:
        id: its name in the stores and in messages; it may be the digest of an idempotency key.
        nonce: identifies this acceptance; a message of another acceptance under the same id is void.
        state: its state.
        principal: its owner, together with `credentials`.
        queue: the digest that names its owner's queue, and the message group.
        place: its place in that queue: the digest of its idempotency key, or of its payload.
        fingerprint: its payload's.
        expires_ms: after this it isn't begun; epoch milliseconds.
        runs: how often it was begun.
        request: as `QueuedRequest.encode` wrote it; empty once it has ended, unless it has failed.
        record: the response, as `StoredResponse.encode` wrote it; empty until it is done.
        parts: the number of further items that hold the rest of the response.
        secret: the random part of its public id, known to its client alone.
        credentials: the digest of its request's credentials; empty where the principal expresses them.
        reason: why it has failed, for its client; empty if it hasn't, or was begun too often.
        unreadable: whether its item is malformed: then it has failed, and isn't run.
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
    secret: str = ""
    credentials: str = ""
    reason: str = ""
    unreadable: bool = False

    def __repr__(self) -> str:
        return f"QueuedItem({self.id}, {self.state})"

    @property
    def public_id(self) -> str:
        """The id in its address; it can't be computed from `id`, which may be."""
        return f"{self.id}.{self.secret}" if self.secret else self.id

    def belongs_to(self, principal: str, credentials: str) -> bool:
        """Whether this is its owner: the same principal, with the same credentials."""
        return self.principal == principal and compare_digest(self.credentials, credentials)

    def is_named(self, secret: str) -> bool:
        """Whether this is the secret part of its public name."""
        return compare_digest(self.secret.encode(), secret.encode())

    def has_expired(self, now_ms: int) -> bool:
        """Whether it still waits although its time is over."""
        return self.state == "queued" and self.expires_ms <= now_ms

    def state_at(self, now_ms: int) -> RequestState:
        """Return the state for its owner: past its time it is `expired`, even if no worker has written that yet."""
        return "expired" if self.has_expired(now_ms) else self.state
