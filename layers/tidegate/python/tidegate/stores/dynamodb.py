"""Decisions in DynamoDB, without a read: conditional writes on one item per subject.

A bucket in debt is charged by `tat = tat + cost`, as far as that stays within its depth; an idle one by
`tat = now + cost`. Which form is due isn't known beforehand, so the likelier one is written; a condition that
fails hands the item back as it is (`ReturnValuesOnConditionCheckFailure=ALL_OLD`), and from it either the
refusal is decided or the other form written. All buckets of a subject are attributes of one item, so that one
write charges all of them or none.

botocore can bound a connect and a read but not a call, so a decision runs on a thread and is waited for no
longer than its budget; the client's own timeouts only end what nobody waits for any more.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Protocol, TypeVar

from tidegate.algorithms.concurrency import Slots
from tidegate.algorithms.decision import Known, LimitState, State
from tidegate.algorithms.leaky_bucket import Drain
from tidegate.algorithms.token_bucket import Bucket
from tidegate.clock import Clock
from tidegate.errors import StoreUnavailableError
from tidegate.question import Answer, Charge, Question, Settlement, Verdict
from tidegate.stores.aws import DynamoClient, Item
from tidegate.stores.dynamodb_charges import Asked, Clause, clause, correction, state_of, update

Result = TypeVar("Result")

_ATTEMPTS = 8
_EXPIRES = "expires_at"
_KEPT_AFTER_S = 86_400
_SUBJECTS_REMEMBERED = 1000


class Timing(Protocol):
    """By which time limits are kept, and what is assumed of those that aren't: see `LadderClock`."""

    @property
    def prefix(self) -> str:
        """What the partition keys of its items begin with."""

    def ready(self) -> None:
        """Know the time before a decision.

        Raises:
            StoreUnavailableError: the time isn't known.
        """

    def now_us(self, charge: Charge) -> int:
        """Return the time by which a charge's limit is kept."""

    def placed(self, charge: Charge, state: State | None) -> Charge:
        """Return the charge with what must be assumed of its limit, given what is stored of it."""

    def gained(self, charge: Charge, retry_after_us: int) -> bool:
        """Whether it is later than it was thought to be, so that a refused charge may be admitted now."""

    def left(self) -> None:
        """Note that a decision failed."""


class OrdinaryTime:
    """Limits are kept by the clock, and a limit that isn't kept was never used.

    Args:
        clock: the clock.
        prefix: what the partition keys begin with.
    """

    def __init__(self, clock: Clock, prefix: str = "limit") -> None:
        self._clock = clock
        self.prefix = prefix

    def ready(self) -> None:
        """The time is known."""

    def now_us(self, charge: Charge) -> int:
        """Return the clock's time."""
        del charge
        return self._clock.wall_us()

    def placed(self, charge: Charge, state: State | None) -> Charge:
        """Assume nothing."""
        del state
        return charge

    def gained(self, charge: Charge, retry_after_us: int) -> bool:
        """Never."""
        del charge, retry_after_us
        return False

    def left(self) -> None:
        """Nothing has to be forgotten."""


class DynamoStore:
    """Decides in one DynamoDB table.

    Args:
        client: the way to DynamoDB.
        table: the table's name; its partition key is `pk`, a string.
        clock: where the time comes from: DynamoDB has no clock to lend.
        budget_s: seconds after which a decision is given up.
        timing: by which time limits are kept; the clock's if None.
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
        self._threads = ThreadPoolExecutor(max_workers=32, thread_name_prefix="tidegate-dynamodb")
        self._seen: OrderedDict[str, Item] = OrderedDict()

    def admit(self, question: Question) -> Answer:
        """Charge each subject's limits in one conditional write; claims are asked of `DynamoClaims`."""
        if not question.charges:
            return Answer(admitted=True, limits=(), claim=None, store=self.name)
        try:
            return self._within_budget(lambda: self._decided(question))
        except StoreUnavailableError as error:
            self._timing.left()
            if error.kind == "timeout":
                # What else is connected may be as dead, and each would cost a probe. Not after a probe that was slow
                # to connect: its connection is what the next one needs.
                self._client.close()
            raise

    def settle(self, settlement: Settlement) -> bool:
        """Put charges right; answers are kept by the claim store, copies for quick replays by Redis."""
        if settlement.corrections:
            self._within_budget(lambda: self._correct(settlement.subject, settlement.corrections))
        return True

    def warm(self) -> None:
        """Make the client now, so that no decision has to wait for it."""
        self._client.warm()

    def probe(self, patience_s: float | None = None) -> None:
        """Write an item that expires; the client, if it isn't made yet, is made outside the budget."""
        self._client.warm()
        item = {"pk": {"S": "probe"}, "expires_at": {"N": str(self._clock.wall_us() // 1_000_000 + 60)}}
        self._within_budget(lambda: self._client.call("PutItem", TableName=self._table, Item=item), patience_s)

    def close(self) -> None:
        """Keep the client: botocore replaces dead connections by itself."""

    def _within_budget(self, call: Callable[[], Result], patience_s: float | None = None) -> Result:
        seconds = self._budget_s if patience_s is None else patience_s
        future = self._threads.submit(call)
        try:
            return future.result(seconds)
        except FutureTimeoutError as error:
            future.cancel()
            raise StoreUnavailableError(self.name, "timeout", f"no answer in {seconds * 1000:.0f} ms") from error

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
        """Ask one subject after the other; if a later one refuses, the earlier ones get back what they gave."""
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
                states = self._taken_back(question, states, keep=charges)
        limits = tuple(states.get(charge) or self._believed(question, charge) for charge in question.charges)
        return Answer(admitted, limits, claim=None, store=self.name)

    def _taken_back(
        self, question: Question, states: dict[Charge, LimitState], keep: tuple[Charge, ...]
    ) -> dict[Charge, LimitState]:
        """Give back what the subjects before have charged; how they stand then is read off their items."""
        for charge, state in states.items():
            if charge not in keep and state.allowed:
                self._correct_one(question.subject_of(charge), charge._replace(cost=-charge.cost))
        return {charge: states[charge] for charge in keep}

    def _decide_one(self, subject: str, question: Question) -> Verdict:
        """Write what the item is believed to allow; a write that fails tells what it holds."""
        item, confirmed = self._seen.get(subject, {}), False
        if question.peek:
            item, confirmed = self._read(subject), True
        # One moment for all attempts: a TAT only moves forward, so a write's two forms can't fail in turn for ever.
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
            if not asked:  # nothing but shadows that seem to refuse: no write would tell
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
        """How a limit stands that only reports, and was left out because it seemed to refuse."""
        decision = charge.decide(state_of(item, charge), now)
        if decision.allowed:  # another environment had given something back
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
                return  # the slot isn't ours any more, which is what was wanted

    def _believed(self, question: Question, charge: Charge) -> LimitState:
        """How a limit seems to stand that wasn't asked, because an earlier one had refused."""
        item = self._seen.get(question.subject_of(charge), {})
        state = state_of(item, charge)
        return self._timing.placed(charge, state).decide(state, self._timing.now_us(charge)).uncharged

    def _read(self, subject: str) -> Item:
        answer = self._client.call("GetItem", TableName=self._table, Key=self._key(subject), ConsistentRead=True)
        return answer.get("Item") or {}

    def _write(self, subject: str, item: Item, asked: Sequence[Asked], clauses: Sequence[Clause]) -> tuple[bool, Item]:
        """Make one conditional write; return whether it was made, and the item as it is now."""
        wall_us = self._clock.wall_us()
        expires_s = max([int(item.get(_EXPIRES, {"N": 0})["N"]), *(_expires_s(one, wall_us) for one in asked)])
        written = self._client.write(
            "UpdateItem",
            TableName=self._table,
            Key=self._key(subject),
            ReturnValues="ALL_NEW",
            **update(clauses, expires_s, _EXPIRES),
        )
        self._remember(subject, written.item)
        return written.done, written.item

    def _key(self, subject: str) -> Item:
        return {"pk": {"S": f"{self._timing.prefix}#{subject}"}}

    def _remember(self, subject: str, item: Item) -> None:
        self._seen[subject] = item
        if len(self._seen) > _SUBJECTS_REMEMBERED:
            self._seen.popitem(last=False)


def _expires_s(asked: Asked, wall_us: int) -> int:
    """When the item may go, in whole minutes: the same for all who write at the same time.

    An item is never written to expire earlier than it did: by how full a bucket is, two writers would disagree.
    """
    rule, now, cost = asked.charge.rule, asked.now_us, max(0, asked.charge.cost)
    kept_us = rule.kept_for_us(rule.corrected(asked.state, now, cost, asked.charge.known), now)
    if isinstance(rule, Bucket):
        kept_us = max(kept_us, rule.depth_us)
    elif isinstance(rule, Drain):
        kept_us = max(kept_us, rule.max_wait_us + cost * rule.interval_us)
    return -(-(wall_us + kept_us) // 60_000_000) * 60 + _KEPT_AFTER_S


def _charged(charge: Charge, item: Item, now: int) -> LimitState:
    """How a limit stands after it was charged, read off the item as it was written."""
    after = state_of(item, charge)
    before = charge.rule.corrected(after, now, -charge.cost, Known(holder=charge.holder))
    return charge.decide(before, now).charged
