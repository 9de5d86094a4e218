"""Decisions in DynamoDB, without a read: conditional writes on one item per subject.

A bucket in debt is charged by `tat = tat + cost`, if that stays within its depth; an idle one by `tat = now + cost`.
The right form isn't known beforehand, so the likelier one is written. If its condition fails, DynamoDB returns the item
(`ReturnValuesOnConditionCheckFailure=ALL_OLD`). From that either the refusal is decided or the other form is written.
All limits of a subject are attributes of one item, so that one write charges all of them or none.

botocore can bound a connect and a read but not a whole call. So a decision runs on a thread of its own, and its caller
waits no longer than the budget. The client's own timeouts only end calls that were given up.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from tidegate.bounded import Bounded
from tidegate.clock import Clock
from tidegate.decision import Known, LimitState, State
from tidegate.errors import StoreUnavailableError
from tidegate.limits.concurrency import Slots
from tidegate.limits.leaky_bucket import Drain
from tidegate.limits.token_bucket import Bucket
from tidegate.messages import Answer, Charge, Question, Settlement, Verdict
from tidegate.stores.dynamodb.client import DynamoClient, Item
from tidegate.stores.dynamodb.healing import damaged, removal
from tidegate.stores.dynamodb.limits import Asked, Clause, clause, correction, state_of, update, whole
from tidegate.telemetry import logger

Result = TypeVar("Result")

_ATTEMPTS = 8
# The client's credentials may come from a service that may not answer.
_MADE_WITHIN_S = 2.8
_EXPIRES = "expires_at"
_KEPT_AFTER_S = 86_400
_SUBJECTS_REMEMBERED = 1000


class Timing(Protocol):
    """The clock by which limits are kept, and the use to assume of limits that aren't stored: see `FallbackClock`."""

    @property
    def prefix(self) -> str:
        """The beginning of its items' partition keys."""

    def ready(self) -> None:
        """Make sure before a decision that the time is known.

        Raises:
            StoreUnavailableError: the time can't be read.
        """

    def now_us(self, charge: Charge) -> int:
        """Return the time by which a charge's limit is kept."""

    def placed(self, charge: Charge, state: State | None) -> Charge:
        """Return the charge with the use that must be assumed of its limit, given the stored state."""

    def gained(self, charge: Charge, retry_after_us: int) -> bool:
        """Move the clock on if possible; return whether it moved, so that a refused charge may be admitted now."""

    def left(self) -> None:
        """Note that a decision failed."""


class OrdinaryTime:
    """Keeps limits by the wall clock, and assumes that a limit that isn't stored was never used.

    Args:
        clock: the clock.
        prefix: the beginning of the partition keys.
    """

    def __init__(self, clock: Clock, prefix: str = "limit") -> None:
        self._clock = clock
        self.prefix = prefix

    def ready(self) -> None:
        """Do nothing: the time is always known."""

    def now_us(self, charge: Charge) -> int:
        """Return the clock's time."""
        del charge
        return self._clock.wall_us()

    def placed(self, charge: Charge, state: State | None) -> Charge:
        """Assume nothing."""
        del state
        return charge

    def gained(self, charge: Charge, retry_after_us: int) -> bool:
        """Return False: the clock can't be moved."""
        del charge, retry_after_us
        return False

    def left(self) -> None:
        """Do nothing."""


class DynamoStore:
    """Decides in one DynamoDB table.

    Args:
        client: the client for DynamoDB.
        table: the table's name; its partition key is `pk`, a string.
        clock: where the time comes from, as DynamoDB has no operation for it.
        budget_s: seconds after which a decision is given up.
        timing: the clock by which limits are kept; `clock` if None.
    """

    name = "dynamodb"

    def __init__(
        self, client: DynamoClient, table: str, clock: Clock, budget_s: float, timing: Timing | None = None
    ) -> None:
        self._client = client
        self._table = table
        self._clock = clock
        self._timing = timing or OrdinaryTime(clock)
        self._budget_s = budget_s
        self._bounded = Bounded("tidegate-dynamodb")
        self._seen: OrderedDict[str, Item] = OrderedDict()

    def admit(self, question: Question) -> Answer:
        """Charge each subject's limits in one conditional write; claims are the affair of `DynamoClaims`."""
        if not question.charges:
            return Answer(admitted=True, limits=(), claim=None, store=self.name)
        try:
            return self._within_budget(lambda: self._decided(question))
        except StoreUnavailableError as error:
            self._timing.left()
            if error.kind == "timeout":
                # The other connections may be as dead, and each would cost a probe. They aren't closed after a slow
                # probe, because the next probe needs the connection that it has begun.
                self._client.close()
            raise

    def settle(self, settlement: Settlement) -> bool:
        """Make the corrections; the claim store keeps responses, and Redis keeps them for quick replays."""
        if settlement.corrections:
            self._within_budget(lambda: self._correct(settlement.subject, settlement.corrections))
        return True

    def warm(self) -> None:
        """Make the client now, so that no decision has to wait for it."""
        self._client.warm()

    def probe(self, patience_s: float | None = None) -> None:
        """Write an item that expires; making the client, if need be, has a time of its own beside the budget."""
        self._client.prepare()
        self._within_budget(self._client.ready, _MADE_WITHIN_S)
        item = {"pk": {"S": "probe"}, "expires_at": {"N": str(self._clock.wall_us() // 1_000_000 + 60)}}
        self._within_budget(lambda: self._client.call("PutItem", TableName=self._table, Item=item), patience_s)

    def close(self) -> None:
        """Do nothing: botocore replaces dead connections by itself."""

    def _within_budget(self, call: Callable[[], Result], patience_s: float | None = None) -> Result:
        try:
            return self._bounded.run(call, self._budget_s if patience_s is None else patience_s)
        except TimeoutError as error:
            raise StoreUnavailableError(self.name, "timeout", str(error)) from error

    def _decided(self, question: Question) -> Answer:
        self._timing.ready()
        answer = self._decide(question)
        if answer.admitted or question.peek:
            return answer
        refused = [(c, s) for c, s in zip(question.charges, answer.limits, strict=True) if not s.allowed]
        if refused and all(self._timing.gained(charge, state.retry_after_us) for charge, state in refused):
            return self._decide(question)
        return answer

    def _decide(self, question: Question) -> Answer:
        """Charge one subject after the other; if a later one refuses, the earlier ones' charges are given back."""
        states: dict[Charge, LimitState] = {}
        admitted = True
        for subject in question.subjects:
            charges = tuple(charge for charge in question.charges if question.subject_of(charge) == subject)
            if not charges or not (admitted or question.peek):
                continue
            verdict = self._decide_one(subject, question._replace(charges=charges))
            admitted = admitted and verdict.admitted
            states |= dict(zip(charges, verdict.limits, strict=True))
            if not verdict.charged and not question.peek:
                states = self._given_back(question, states, keep=charges)
        limits = tuple(states.get(charge) or self._believed(question, charge) for charge in question.charges)
        return Answer(admitted, limits, claim=None, store=self.name)

    def _given_back(
        self, question: Question, states: dict[Charge, LimitState], keep: tuple[Charge, ...]
    ) -> dict[Charge, LimitState]:
        """Give back the charges of the earlier subjects; their states are then read from their items."""
        for charge, state in states.items():
            if charge not in keep and state.allowed:
                self._correct_one(question.subject_of(charge), charge.given_back(state.counts))
        return {charge: states[charge] for charge in keep}

    def _decide_one(self, subject: str, question: Question) -> Verdict:
        """Write as the remembered item suggests; a write that fails returns the item as it is."""
        item, confirmed = self._seen.get(subject, {}), False
        if question.peek:
            item, confirmed = self._read(subject), True
        # One moment for all attempts. As a TAT only moves forward, a write's two forms then can't fail in turn forever.
        times = [self._timing.now_us(charge) for charge in question.charges]
        for _ in range(_ATTEMPTS):
            states = [state_of(item, charge) for charge in question.charges]
            charges = [self._timing.placed(c, state) for c, state in zip(question.charges, states, strict=True)]
            decisions = tuple(c.decide(state, now) for c, state, now in zip(charges, states, times, strict=True))
            verdict = Verdict.of(question, decisions)
            if confirmed and not verdict.charged:
                return verdict
            asked = [
                Asked(i, charge, states[i], times[i])
                for i, (charge, decision) in enumerate(zip(charges, decisions, strict=True))
                if decision.allowed or not charge.shadow
            ]
            if not asked and confirmed:
                return verdict
            if not asked:  # only shadow limits that seem to refuse: there is no write that would return the item
                item, confirmed = self._read(subject), True
                continue
            done, item = self._write(subject, item, asked, [clause(one.charge.rule, one) for one in asked])
            confirmed = True
            if done:
                written = {one.i for one in asked}
                limits = tuple(
                    _charged(charge, item, times[i]) if i in written else self._shadow(subject, charge, item, times[i])
                    for i, charge in enumerate(charges)
                )
                return Verdict(admitted=True, charged=True, limits=limits)
        raise StoreUnavailableError(self.name, "contended", f"the item changed {_ATTEMPTS} times while we wrote")

    def _shadow(self, subject: str, charge: Charge, item: Item, now: int) -> LimitState:
        """Return the state of a shadow limit that was left out of the write because it seemed to refuse."""
        decision = charge.decide(state_of(item, charge), now)
        if decision.allowed:  # another environment had given units back
            self._correct_one(subject, charge)
        return decision.state(charged=decision.allowed)

    def _correct(self, subject: str, charges: Sequence[Charge]) -> None:
        for charge in charges:
            self._correct_one(charge.subject or subject, charge)

    def _correct_one(self, subject: str, charge: Charge) -> None:
        item = self._seen.get(subject, {})
        for attempt in range(_ATTEMPTS):
            asked = Asked(0, charge, state_of(item, charge), self._timing.now_us(charge))
            done, item = self._write(subject, item, [asked], [correction(asked)])
            gone = state_of(item, charge) is None and charge.cost < 0
            if done or (gone and attempt):
                return
            if isinstance(charge.rule, Slots) and charge.cost < 0:
                return  # the slot isn't this request's any more, which was the aim

    def _believed(self, question: Question, charge: Charge) -> LimitState:
        """Return the likely state of a limit that wasn't asked, because an earlier one had refused."""
        item = self._seen.get(question.subject_of(charge), {})
        state = state_of(item, charge)
        return self._timing.placed(charge, state).decide(state, self._timing.now_us(charge)).uncharged

    def _read(self, subject: str) -> Item:
        answer = self._client.call("GetItem", TableName=self._table, Key=self._key(subject), ConsistentRead=True)
        return answer.get("Item") or {}

    def _write(self, subject: str, item: Item, asked: Sequence[Asked], clauses: Sequence[Clause]) -> tuple[bool, Item]:
        """Make one conditional write; return whether it was made, and the item as it is now."""
        wall_us = self._clock.wall_us()
        kept_s = whole(item[_EXPIRES]) if _EXPIRES in item else None
        expires_s = max([kept_s or 0, *(_expires_s(one, wall_us) for one in asked)])
        written = self._client.write(
            "UpdateItem",
            TableName=self._table,
            Key=self._key(subject),
            ReturnValues="ALL_NEW",
            **update(clauses, expires_s, _EXPIRES),
        )
        if not written.done:
            written = written._replace(item=self._healed(subject, written.item, asked))
        self._remember(subject, written.item)
        return written.done, written.item

    def _healed(self, subject: str, item: Item, asked: Sequence[Asked]) -> Item:
        """Remove damaged state, so that the next write can succeed."""
        names = damaged(item, [one.charge for one in asked], _EXPIRES)
        if not names:
            return item
        logger().warning("limit's state unreadable", extra={"subject": subject, "attributes": names})
        removed = {"ReturnValues": "ALL_NEW", **removal(item, names)}
        return self._client.write("UpdateItem", TableName=self._table, Key=self._key(subject), **removed).item

    def _key(self, subject: str) -> Item:
        return {"pk": {"S": f"{self._timing.prefix}#{subject}"}}

    def _remember(self, subject: str, item: Item) -> None:
        self._seen[subject] = item
        if len(self._seen) > _SUBJECTS_REMEMBERED:
            self._seen.popitem(last=False)


def _expires_s(asked: Asked, wall_us: int) -> int:
    """Return when the item may expire, in whole minutes, so that environments that write at one time agree.

    For the same reason it counts a bucket's depth and not how full the bucket is: writers would disagree about that,
    and no write may set an earlier expiry.
    """
    rule, now, cost = asked.charge.rule, asked.now_us, max(0, asked.charge.cost)
    kept_us = rule.kept_for_us(rule.corrected(asked.state, now, cost, asked.charge.known), now)
    if isinstance(rule, Bucket):
        kept_us = max(kept_us, rule.depth_us)
    elif isinstance(rule, Drain):
        kept_us = max(kept_us, rule.max_wait_us + cost * rule.interval_us)
    return -(-(wall_us + kept_us) // 60_000_000) * 60 + _KEPT_AFTER_S


def _charged(charge: Charge, item: Item, now: int) -> LimitState:
    """Return a limit's state after its charge, read from the item as it was written."""
    after = state_of(item, charge)
    before = charge.rule.corrected(after, now, -charge.cost, Known(counts=after or (), holder=charge.holder))
    return charge.decide(before, now).charged
