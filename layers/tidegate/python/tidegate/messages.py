"""The question that stores are asked before a handler runs, and the answer: plain frozen data.

Mechanisms add their parts to the question and read their parts of the answer; only stores see both whole. Nothing here
knows a driver, and no store knows HTTP. These are named tuples, because a dataclass takes three times as long at a cold
start. A class of which a part isn't compared is a dataclass.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from tidegate.decision import Decision, Known, LimitState, Rule, State

if TYPE_CHECKING:
    from tidegate.cache_messages import CacheAnswer, CacheRequest, CacheWrite


OnOutage = Literal["share", "allow", "reject"]


class Charge(NamedTuple):
    """Units that a request wants of one limit.

    Attributes:
        key: the limit's name within its subject, short and stable; letters, digits, `-` and `_` only.
        rule: the limit's algorithm with its numbers.
        cost: units.
        min_deficit_us: the carried state of a bucket: its least debt, in microseconds until it is full. Set by
            `FailoverStore`.
        subject: the limit's subject, if it isn't the question's: the whole route's, for example.
        shadow: whether the limit is a shadow: it is charged while it admits, and refuses nobody.
        known_counts: the carried state of a window or a quota: its latest counters. Set by `FailoverStore`. In a
            correction, the counters at the time of the charge.
        holder: the name of a slot's holder; unique to the request.
    """

    key: str
    rule: Rule
    cost: int = 1
    min_deficit_us: int = 0
    subject: str = ""
    shadow: bool = False
    known_counts: State = ()
    holder: str = ""

    @property
    def known(self) -> Known:
        """The carried state of the limit."""
        return Known(self.min_deficit_us, self.known_counts, self.holder)

    def decide(self, state: State | None, now_us: int) -> Decision:
        """Decide the charge by the pure rule."""
        return self.rule.decide(state, now_us, self.cost, self.known)

    def given_back(self, counts: State) -> Charge:
        """Return the correction that undoes it, given the counters after it; a slot is one whatever it cost."""
        return self._replace(cost=-1 if self.holder else -self.cost, known_counts=counts)


class ClaimRequest(NamedTuple):
    """The wish to be the one attempt that runs the handler for an idempotency key.

    Attributes:
        id: digest of (namespace, principal, method, route, key): one per key and caller, safe in any store.
        fingerprint: digest of the payload and of credentials; another one under the same id is a client's mistake.
        attempt_id: unique for this attempt; completion and release are fenced by it.
        hold_ms: after how many milliseconds another attempt may take over if the holder is silent.
        lifetime_ms: for how many milliseconds the response is kept after completion.
        in_redis: whether Redis holds the claim itself; if not, it only keeps a copy for replays.
        owner: the principal under which the claim counts, if claims are bounded.
        holds_unknown: whether a claim whose holder fell silent isn't taken over, since its outcome isn't known.
    """

    id: str
    fingerprint: str
    attempt_id: str
    hold_ms: int
    lifetime_ms: int
    in_redis: bool = False
    owner: str = ""
    holds_unknown: bool = False

    @property
    def kept_ms(self) -> int:
        """For how long the claim itself is kept: a short lifetime must not end it while its holder lives."""
        return max(self.hold_ms, self.lifetime_ms)


def partition_key(claim_id: str) -> str:
    """Return the `pk` of a claim's item in DynamoDB, which a handler's own condition checks also need."""
    return f"claim#{claim_id}"


@dataclass(frozen=True, slots=True)
class Granted:
    """This attempt holds the claim.

    Attributes:
        points: the recovery points of earlier attempts (see `idempotency.recovery`); empty if there are none.
        taken_over: whether another attempt held the claim before. It isn't compared, as two such claims are alike.
    """

    points: bytes = b""
    taken_over: bool = field(default=False, compare=False)


class InProgress(NamedTuple):
    """Another attempt holds it, for at most so many milliseconds more."""

    retry_after_ms: int


class OutcomeUnknown(NamedTuple):
    """Another attempt fell silent while it held the claim; it isn't taken over, as the request asks.

    Attributes:
        attempt_id: that attempt's.
        points: the recovery points that it has kept.
    """

    attempt_id: str
    points: bytes = b""


class Completed(NamedTuple):
    """The handler ran; `record` is its stored response (see `web.stored_response.StoredResponse`)."""

    record: bytes


class _Bare:
    """An answer without content: equal to all of its class."""

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
    """The store has neither a response nor another attempt's claim; the claim store must be asked."""

    __slots__ = ()


class Unreadable(_Bare):
    """The record under the key is neither a claim nor a response, so a handler may have run."""

    __slots__ = ()


ClaimAnswer = Granted | InProgress | OutcomeUnknown | Completed | Mismatch | Unreadable


class Question(NamedTuple):
    """Everything that the stores must be asked before a handler runs.

    Attributes:
        subject: a short digest of namespace and principal, under which a store keeps all state of the caller together
            (a Redis hash tag, one DynamoDB item), so that it can be changed as one.
        charges: the units wanted of each limit; all are charged or none.
        claim: the wanted idempotency claim, or None.
        on_outage: the route's choice if no store answers.
        peek: whether to read only: nothing is charged, even if all limits admit.
        cache: the wanted copy, or None.
    """

    subject: str
    charges: tuple[Charge, ...] = ()
    claim: ClaimRequest | None = None
    on_outage: OnOutage = "share"
    peek: bool = False
    cache: CacheRequest | None = None

    @property
    def asks_nothing(self) -> bool:
        """Whether no store has to be asked: no limit applies, and neither a claim nor a copy is wanted."""
        return not self.charges and self.claim is None and self.cache is None

    def subject_of(self, charge: Charge) -> str:
        """Return the subject of a charge's limit."""
        return charge.subject or self.subject

    @property
    def subjects(self) -> tuple[str, ...]:
        """All subjects of the question and its charges, its own first."""
        return tuple(dict.fromkeys((self.subject, *(self.subject_of(charge) for charge in self.charges))))


class Verdict(NamedTuple):
    """The decision of all limits together.

    Attributes:
        admitted: whether every limit admits, except shadow limits.
        charged: whether the charges are to be made.
        limits: each limit's answer after that, in the order of the charges.
    """

    admitted: bool
    charged: bool
    limits: tuple[LimitState, ...]

    @classmethod
    def of(cls, question: Question, decisions: tuple[Decision, ...]) -> Verdict:
        """Return the verdict that follows from the decisions: all limits or none, and a shadow never refuses."""
        admitted = all(d.allowed or c.shadow for c, d in zip(question.charges, decisions, strict=True))
        charged = admitted and not question.peek
        return cls(admitted, charged, tuple(d.state(charged=charged) for d in decisions))


class Fleet(NamedTuple):
    """The number of live environments, and this one's rank.

    Attributes:
        environments: how many there are, this one included.
        rank: this one's rank among them, from 0; no two have the same.
    """

    environments: int = 1
    rank: int = 0


class Answer(NamedTuple):
    """A store's answer to a question.

    Attributes:
        admitted: whether every limit admits, and all were charged.
        limits: each limit's answer, in the order of the charges; empty without limits, or if no store was asked
            (outage, `allow`).
        claim: the claim's state; None if the store wasn't asked for it.
        store: the store that answered: `redis`, `dynamodb`, `memory`, or `none` if no store did.
        fleet: the fleet, if the store counted it with this answer.
        cache: the copy's state; None if the store keeps no copies, or a limit has refused.
    """

    admitted: bool
    limits: tuple[LimitState, ...]
    claim: ClaimAnswer | Unknown | None
    store: str
    fleet: Fleet | None = None
    cache: CacheAnswer | None = None


class Settlement(NamedTuple):
    """The writes of one more round trip, after the handler ran, or during its run to renew its claim.

    Attributes:
        subject: the question's subject.
        claim: the request whose claim was granted, or None.
        record: the stored response; None releases the claim.
        fenced: whether this store holds the claim, and must check that the attempt still owns it.
        corrections: charges whose `cost` is the difference to the units charged before. A negative one gives units
            back, or frees a slot.
        renews: whether the handler still runs. Then nothing is settled, but the claim's deadline moves and `points`
            are kept.
        points: the recovery points so far; if empty, the kept ones stay.
        cache: the settlement of a copy's lease, or None.
    """

    subject: str
    claim: ClaimRequest | None
    record: bytes | None
    fenced: bool
    corrections: tuple[Charge, ...] = ()
    renews: bool = False
    points: bytes = b""
    cache: CacheWrite | None = None
