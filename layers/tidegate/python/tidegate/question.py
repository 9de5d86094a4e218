"""The one question that is asked before a handler runs, and its answer: plain frozen data.

Mechanisms contribute to the question and read their part of the answer; only stores see both. Nothing here
knows a driver, and nothing in a store knows HTTP. Named tuples, for a cold start pays three times as much for a
dataclass; but what is compared in part is one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from tidegate.algorithms.decision import Decision, Known, LimitState, Rule, State
from tidegate.policy import OnOutage

if TYPE_CHECKING:
    from tidegate.caching.question import CacheAnswer, CacheRequest, CacheWrite


class Charge(NamedTuple):
    """Units that a request wants of one limit.

    Attributes:
        key: the limit's name within its subject, short and stable; letters, digits, `-` and `_` only.
        rule: the limit's algorithm with its numbers.
        cost: units.
        known_debt_us: how far the asker knows a bucket to be from full, at least. Set by `FailoverStore`.
        subject: whose state it is, where that isn't the question's own subject: the whole route's, say.
        shadow: whether it only reports: it is charged as long as it admits, and refuses nobody.
        known_counts: a window's or a quota's counters as the asker last heard them. Set by `FailoverStore`.
        holder: who asks for a slot; unique to the request.
    """

    key: str
    rule: Rule
    cost: int = 1
    known_debt_us: int = 0
    subject: str = ""
    shadow: bool = False
    known_counts: State = ()
    holder: str = ""

    @property
    def known(self) -> Known:
        """What the asker brings along."""
        return Known(self.known_debt_us, self.known_counts, self.holder)

    def decide(self, state: State | None, now_us: int) -> Decision:
        """Decide it by the pure algorithm."""
        return self.rule.decide(state, now_us, self.cost, self.known)


class ClaimRequest(NamedTuple):
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


def partition_key(claim_id: str) -> str:
    """Return the `pk` under which a claim lies in DynamoDB, for a handler's own condition checks, too."""
    return f"claim#{claim_id}"


@dataclass(frozen=True, slots=True)
class Granted:
    """This attempt holds the claim.

    Attributes:
        points: the recovery points that earlier attempts left (see `mechanisms.recovery`), or nothing.
        taken_over: whether another attempt held the claim before. How it came, not what it is: never compared.
    """

    points: bytes = b""
    taken_over: bool = field(default=False, compare=False)


class InProgress(NamedTuple):
    """Another attempt holds it, for at most so many milliseconds more."""

    retry_after_ms: int


class Completed(NamedTuple):
    """The handler ran; `record` is its stored answer (see `record.StoredResponse`)."""

    record: bytes


class _Bare:
    """An answer that says nothing but what it is: equal to all of its kind."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Mismatch(_Bare):
    """The key was used with another payload."""

    __slots__ = ()


class Unknown(_Bare):
    """The store that was asked looked and knows no answer; the store that guards claims must be asked."""

    __slots__ = ()


ClaimAnswer = Granted | InProgress | Completed | Mismatch


class Question(NamedTuple):
    """Everything that the stores must be asked before a handler runs.

    Attributes:
        subject: whose state it is about: a short digest of namespace and principal. A store keeps all state
            of one subject together (a Redis hash tag, one DynamoDB item), so that it can be changed as one.
        charges: units wanted; taken all or none.
        claim: the idempotency claim or None.
        on_outage: the route's choice for when no store answers.
        peek: whether to look only: nothing is charged, whatever the answer.
        cache: the copy that is wished for, or None.
    """

    subject: str
    charges: tuple[Charge, ...] = ()
    claim: ClaimRequest | None = None
    on_outage: OnOutage = "share"
    peek: bool = False
    cache: CacheRequest | None = None

    def subject_of(self, charge: Charge) -> str:
        """Whose state a charge is about."""
        return charge.subject or self.subject

    @property
    def subjects(self) -> tuple[str, ...]:
        """Every subject that it is about, its own first."""
        return tuple(dict.fromkeys((self.subject, *(self.subject_of(charge) for charge in self.charges))))


class Verdict(NamedTuple):
    """What all the limits say together.

    Attributes:
        admitted: whether every limit that counts admits.
        charged: whether the charges are to be made.
        limits: one state per charge, in order, as it stands then.
    """

    admitted: bool
    charged: bool
    limits: tuple[LimitState, ...]

    @classmethod
    def of(cls, question: Question, decisions: tuple[Decision, ...]) -> Verdict:
        """Sum up: all or nothing, and a shadow never refuses."""
        admitted = all(d.allowed or c.shadow for c, d in zip(question.charges, decisions, strict=True))
        charged = admitted and not question.peek
        return cls(admitted, charged, tuple(d.state(charged=charged) for d in decisions))


class Fleet(NamedTuple):
    """The live environments, and this one among them.

    Attributes:
        environments: how many there are, this one included.
        rank: this one's place, from 0: no two have the same.
    """

    environments: int = 1
    rank: int = 0


class Answer(NamedTuple):
    """What a store says.

    Attributes:
        admitted: whether every limit admits, and all were charged.
        limits: one state per charge, in order; empty if the store did not look (outage, `allow`).
        claim: None if the store didn't look.
        store: who answered: `redis`, `dynamodb`, `memory`, or `none` if no store did.
        fleet: the fleet, if the store counted it with this answer.
        cache: what is known of the copy; None if the store keeps none, or a limit has refused.
    """

    admitted: bool
    limits: tuple[LimitState, ...]
    claim: ClaimAnswer | Unknown | None
    store: str
    fleet: Fleet | None = None
    cache: CacheAnswer | None = None


class Settlement(NamedTuple):
    """What one more round trip writes after the handler ran, or during its run to renew its claim.

    Attributes:
        subject: as in the question.
        claim: the request whose claim was granted, or None.
        record: the stored answer; None releases the claim instead.
        fenced: whether the store held the claim itself, and must check that the attempt still owns it.
        corrections: charges whose `cost` is what is due beyond what was charged; negative gives units back, and
            frees a slot.
        renews: whether the handler still runs: nothing is settled, the claim's deadline moves and `points` are kept.
        points: the recovery points so far; none are kept if there are none.
        cache: what the holder of a copy's lease leaves, or None.
    """

    subject: str
    claim: ClaimRequest | None
    record: bytes | None
    fenced: bool
    corrections: tuple[Charge, ...] = ()
    renews: bool = False
    points: bytes = b""
    cache: CacheWrite | None = None
