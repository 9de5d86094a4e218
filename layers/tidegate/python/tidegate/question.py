"""The one question that is asked before a handler runs, and its answer: plain frozen data.

Mechanisms contribute to the question and read their part of the answer; only stores see both. Nothing here
knows a driver, and nothing in a store knows HTTP.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tidegate.algorithms.token_bucket import Bucket, Taken
from tidegate.policy import OnOutage


@dataclass(frozen=True, slots=True)
class Charge:
    """Tokens that a request wants from one bucket.

    Attributes:
        key: the bucket's name within its subject, short and stable; letters, digits, `-` and `_` only.
        bucket: its size and speed.
        cost: tokens.
        known_debt_us: how far the asker knows the bucket to be from full, at least. Set by `FailoverStore`.
    """

    key: str
    bucket: Bucket
    cost: int = 1
    known_debt_us: int = 0

    def shared_by(self, environments: int) -> Charge:
        """Return the charge against a fair share of the bucket, deep enough for what the bucket would admit."""
        share = self.bucket.shared_by(environments)
        return replace(self, bucket=replace(share, burst=max(share.burst, min(self.cost, self.bucket.burst))))


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """The wish to be the one attempt that runs the handler for an idempotency key.

    Attributes:
        id: digest of (namespace, principal, method, route, key): one per key and caller, safe in any store.
        fingerprint: digest of the payload; another payload under the same id is a client's mistake.
        attempt_id: unique for this attempt; completion and release are fenced by it.
        hold_ms: how long the claim stands if its holder is never heard of again.
        lifetime_ms: how long the answer is kept after completion.
        in_redis: whether Redis may hold the claim itself, or only answers replays.
    """

    id: str
    fingerprint: str
    attempt_id: str
    hold_ms: int
    lifetime_ms: int
    in_redis: bool = False

    @property
    def kept_ms(self) -> int:
        """How long the claim itself is kept: a short lifetime must not end it while its holder lives."""
        return max(self.hold_ms, self.lifetime_ms)


@dataclass(frozen=True, slots=True)
class Granted:
    """This attempt holds the claim.

    Attributes:
        points: the recovery points that earlier attempts left (see `mechanisms.recovery`), or nothing.
        taken_over: whether another attempt held the claim before. How it came, not what it is: never compared.
    """

    points: bytes = b""
    taken_over: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class InProgress:
    """Another attempt holds it, for at most so many milliseconds more."""

    retry_after_ms: int


@dataclass(frozen=True, slots=True)
class Completed:
    """The handler ran; `record` is its stored answer (see `record.StoredResponse`)."""

    record: bytes


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The key was used with another payload."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """The store that was asked looked and knows no answer; the store that guards claims must be asked."""


ClaimAnswer = Granted | InProgress | Completed | Mismatch


@dataclass(frozen=True, slots=True)
class Question:
    """Everything that the stores must be asked before a handler runs.

    Attributes:
        subject: whose state it is about: a short digest of namespace and principal. A store keeps all state
            of one subject together (a Redis hash tag, one DynamoDB item), so that it can be changed as one.
        charges: tokens wanted; taken all or none.
        claim: the idempotency claim or None.
        on_outage: the route's choice for when no store answers.
    """

    subject: str
    charges: tuple[Charge, ...] = ()
    claim: ClaimRequest | None = None
    on_outage: OnOutage = "share"

    def shared_by(self, environments: int) -> Question:
        """Return the question as one of so many environments must ask it when each enforces its share alone."""
        if environments <= 1:
            return self
        return replace(self, charges=tuple(charge.shared_by(environments) for charge in self.charges))


@dataclass(frozen=True, slots=True)
class LimitState:
    """What one bucket answered.

    Attributes:
        allowed: whether this bucket alone would admit.
        remaining: whole tokens left, after the charge if the question was admitted.
        retry_after_us: 0 if it admits; `token_bucket.NEVER` if it never will.
        debt_us: microseconds until the bucket would be full again.
    """

    allowed: bool
    remaining: int
    retry_after_us: int
    debt_us: int


def limit_states(question: Question, taken: Sequence[Taken], now_us: int, *, charged: bool) -> tuple[LimitState, ...]:
    """Describe buckets by what the pure function said of each; if nothing was charged, as they stand uncharged."""
    return tuple(
        LimitState(
            allowed=t.allowed,
            remaining=t.remaining if charged or not t.allowed else t.remaining + c.cost,
            retry_after_us=t.retry_after_us,
            debt_us=t.tat_us - now_us - (0 if charged or not t.allowed else c.cost * c.bucket.interval_us),
        )
        for c, t in zip(question.charges, taken, strict=True)
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """What a store says.

    Attributes:
        admitted: whether every bucket admits, and all were charged.
        limits: one state per charge, in order; empty if the store did not look (outage, `allow`).
        claim: None if the store didn't look.
        store: who answered: `redis`, `dynamodb`, `memory`, or `none` if no store did.
        environments: live environments of the fleet, if the store counted them with this answer.
    """

    admitted: bool
    limits: tuple[LimitState, ...]
    claim: ClaimAnswer | Unknown | None
    store: str
    environments: int | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """What one more round trip writes after the handler ran: the answer to replay.

    Attributes:
        subject: as in the question.
        claim: the request whose claim was granted.
        record: the stored answer; None releases the claim instead.
        fenced: whether the store held the claim itself, and must check that the attempt still owns it.
        renews: whether the handler still runs: nothing is settled, the claim's deadline moves and `points` are kept.
        points: the recovery points so far; none are kept if there are none.
    """

    subject: str
    claim: ClaimRequest
    record: bytes | None
    fenced: bool
    renews: bool = False
    points: bytes = b""
