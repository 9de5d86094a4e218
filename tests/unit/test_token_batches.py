"""Prefetched tokens to the number: how many are taken at once, by whom, and what is made of a refusal of several."""

from __future__ import annotations

import random

import pytest

from tests.harness.inline_background import InlineBackground
from tidegate.decision import NEVER, LimitState
from tidegate.failover.token_prefetch import TokenBatch, TokenPrefetch
from tidegate.limits.sliding_window import Window
from tidegate.limits.token_bucket import Bucket
from tidegate.messages import Answer, Charge, Fleet, Question, Settlement
from tidegate.stores.fleet import FleetView
from tidegate.stores.memory import MemoryStore
from tidegate.testing import FailingStore, FakeClock

HOUR_US = 3_600_000_000
ONE = Charge("one", Bucket(HOUR_US, 1000))


def batch(*charges: Charge, left: tuple[int, ...] = (), since: float = 0.0) -> TokenBatch:
    states = tuple(LimitState(True, remaining, 0) for remaining in left)
    answer = Answer(True, states, None, "dynamodb") if left else None
    return TokenBatch(Question("alice", charges or (ONE,)), answer=answer, counting_since=since)


def test_a_new_batch_has_nothing_and_knows_nothing():
    new = TokenBatch(Question("alice", (ONE,)))
    assert (new.left, new.until, new.refused_until, new.answer, new.paid) == (0, 0.0, 0.0, None, None)
    assert (new.counting_since, new.count, new.rate_per_s, new.per_s) == (0.0, 0, 0.0, 0)


@pytest.mark.parametrize(
    ("passed", "rate", "count"), [(0.999, 0.0, 4), (1.0, 3.0, 1), (1.5, 2.0, 1), (2.0, 0.0, 1), (9.0, 0.0, 1)]
)
def test_a_rate_is_of_the_second_before_and_forgotten_after_two(passed, rate, count):
    asked = batch(since=10.0)
    for now in (10.0, 10.25, 10.5, 10.0 + passed):
        asked.asked(now)
    assert (asked.rate_per_s, asked.count) == (rate, count)
    assert asked.per_s == max(rate, count)
    assert asked.counting_since == (10.0 if passed < 1 else 10.0 + passed)


@pytest.mark.parametrize(
    ("left", "fleet", "room"), [((), 1, 1), ((0,), 1, 1), ((1,), 1, 1), ((10,), 1, 5), ((10,), 2, 3), ((40,), 9, 10)]
)
def test_a_part_of_what_is_left_is_taken(left, fleet, room):
    assert batch(left=left).room(fleet, 0.05) == room


@pytest.mark.parametrize(
    ("interval_us", "cost", "fleet", "gap_s", "room"),
    [
        (1, 1, 1, 1.0, 2_000_000),
        (1000, 1, 1, 0.25, 500),
        (1000, 2, 1, 0.25, 250),
        (1000, 2, 5, 0.25, 50),
        (1000, 1, 1, 0.0009, 1),
    ],
)
def test_or_as_much_as_comes_back_between_two_writes(interval_us, cost, fleet, gap_s, room):
    assert batch(Charge("one", Bucket(interval_us, 1), cost)).room(fleet, gap_s) == room


def test_of_several_limits_the_tightest_counts():
    quick, slow = Charge("quick", Bucket(1000, 1000)), Charge("slow", Bucket(10_000, 1000), 2)
    for charges, left in (((quick, slow), (100, 60)), ((slow, quick), (60, 100))):
        assert batch(*charges, left=left).room(1, 0.5) == 50
        assert batch(*charges, left=left).room(1, 0.05) == 15


class Recording(FailingStore):
    """A store in memory that keeps what it was told."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(MemoryStore(clock))
        self.asked_for: list[Question] = []
        self.settled: list[Settlement] = []
        self.told: list[object] = []

    def admit(self, question: Question) -> Answer:
        self.asked_for.append(question)
        return super().admit(question)

    def settle(self, settlement: Settlement) -> bool:
        self.settled.append(settlement)
        return super().settle(settlement)

    def probe(self, patience_s: float | None = None) -> None:
        self.told.append(patience_s)

    def close(self) -> None:
        self.told.append("closed")


class Counting(InlineBackground):
    """Inline, and counts."""

    def __init__(self) -> None:
        super().__init__()
        self.submitted = 0

    def _start(self, work) -> None:
        self.submitted += 1
        super()._start(work)


class Environment:
    def __init__(self, clock: FakeClock, *charges: Charge, fleet: int = 1, capacity: int = 1000) -> None:
        self.charges = charges or (ONE,)
        self.store, self.background = Recording(clock), Counting()
        view = FleetView(clock, Fleet(fleet, 0))
        self.prefetch = TokenPrefetch(self.store, clock, view, self.background, capacity)

    def ask(self, subject: str = "alice", *, peek: bool = False) -> Answer:
        return self.prefetch.admit(Question(subject, self.charges, peek=peek))

    def asks(self, times: int) -> int:
        return sum(self.ask().admitted for _ in range(times))

    def others_take(self, *costs: int) -> None:
        taken = tuple(c._replace(cost=cost) for c, cost in zip(self.charges, costs, strict=True))
        assert self.store._store.admit(Question("alice", taken)).admitted

    @property
    def costs(self) -> list[int]:
        """What each question to the store asked of the first limit."""
        return [question.charges[0].cost for question in self.store.asked_for]


def test_it_has_its_stores_name_probe_and_end(clock):
    one = Environment(clock)
    assert one.prefetch.name == one.store.name == "memory"
    one.prefetch.probe(1.5)
    one.prefetch.close()
    assert one.store.told == [1.5, "closed"]


@pytest.mark.parametrize(
    "charges",
    [
        (Charge("w", Window(60_000, 1000)),),
        (ONE._replace(shadow=True),),
        (ONE._replace(cost=0),),
        (ONE, ONE._replace(cost=0)),
    ],
    ids=repr,
)
def test_what_has_no_tokens_to_take_is_asked_for_each_time(clock, charges):
    one = Environment(clock, *charges)
    assert one.asks(30) == 30
    assert one.store.asked_for == [Question("alice", charges)] * 30
    assert one.prefetch._leases == {}


def test_so_is_a_look_and_a_question_without_limits(clock):
    one = Environment(clock)
    assert [one.ask(peek=True).limits[0].remaining for _ in range(30)] == [1000] * 30
    for _ in range(30):
        assert one.prefetch.admit(Question("alice")).admitted
    assert one.store.asked == 60
    assert one.background.submitted == 0


def test_hot_is_more_than_five_a_second(clock):
    one = Environment(clock)
    assert one.asks(22) == 22
    assert one.costs == [1] * 20 + [2]


@pytest.mark.parametrize(
    ("fleet", "costs"), [(100, [1, 1, 2, 2]), (125, [1, 1, 2, 3]), (50, [1, 1, 1, 1, 1, 2]), (1000, [1, 8])]
)
def test_in_a_large_fleet_fewer_a_second_are_hot(clock, fleet, costs):
    one = Environment(clock, fleet=fleet)
    while len(one.costs) < len(costs):
        assert one.ask().admitted
    assert one.costs == costs


def test_a_refusal_at_the_rate_that_writes_allow_is_not_remembered(clock):
    one = Environment(clock, Charge("one", Bucket(HOUR_US, 1), 1), fleet=125)
    assert one.asks(3) == 1
    assert one.store.asked == 3
    assert one.asks(5) == 0
    assert one.store.asked == 3, "the third was one too many"


def test_where_two_were_wanted_the_one_that_is_left_is_admitted(clock):
    one = Environment(clock)
    assert one.asks(20) == 20
    one.others_take(1000 - 20 - 1)
    assert one.ask().admitted
    assert one.costs[-2:] == [2, 1]
    assert not one.ask().admitted


def test_as_many_are_taken_as_the_tightest_limit_and_the_cost_leave(clock):
    tight, wide = Charge("tight", Bucket(HOUR_US, 1000), 2), Charge("wide", Bucket(HOUR_US, 1000))
    one = Environment(clock, tight, wide)
    assert one.asks(100) == 100
    paid = sum(batch.left for batch in one.prefetch._leases.values())
    charged = 100 + paid
    one.others_take(1000 - 2 * charged - 3, 1000 - charged - 3)
    assert one.asks(paid + 5) == paid + 1
    assert one.asks(5) == 0


@pytest.mark.parametrize(("fleet", "stands_s"), [(1, 0.2), (1000, 0.25)])
def test_a_refusal_stands_until_a_token_is_due(clock, monkeypatch, fleet, stands_s):
    monkeypatch.setattr(random, "uniform", lambda _, most: most)
    one = Environment(clock, Charge("one", Bucket(200_000 if fleet == 1 else HOUR_US, 1)), fleet=fleet)
    assert one.asks(7) == 1
    asked = one.store.asked
    clock.advance(stands_s - 1e-5)
    assert one.asks(1) == 0
    assert one.store.asked == asked
    clock.advance(1e-4)
    assert one.asks(1) == (1 if fleet == 1 else 0)


def test_of_several_refusals_the_longest_stands_for_a_quarter_at_most(clock, monkeypatch):
    monkeypatch.setattr(random, "uniform", lambda _, most: most)
    brief, long = Charge("brief", Bucket(60_000, 1)), Charge("long", Bucket(HOUR_US, 1))
    for charges, admitted in (((brief, long), 1), ((ONE._replace(cost=1001),), 0)):
        one = Environment(clock, *charges)
        assert one.asks(9) == admitted
        asked = one.store.asked
        clock.advance(0.2499)
        assert one.asks(1) == 0
        assert one.store.asked == asked
        clock.advance(0.0002)
        assert one.asks(1) == 0
        assert one.store.asked == asked + 1


def test_a_batch_ends_at_its_second_though_no_sweep_is_due(clock):
    one = Environment(clock)
    one.ask("bob")
    clock.advance(0.5)
    assert one.asks(21) == 21
    clock.advance(0.5)
    one.ask("bob")
    assert one.store.settled == [], "bob's question is no reason to give back what is half a second old"
    clock.advance(0.5)
    asked = one.store.asked
    one.ask()
    assert one.store.asked == asked + 1


def test_unspent_tokens_go_back_once_and_cant_be_spent_any_more(clock):
    one = Environment(clock, ONE._replace(cost=3))
    assert one.asks(100) == 100
    [left] = [batch.left for batch in one.prefetch._leases.values()]
    assert left
    one.prefetch.give_back("any", "thing")
    back = (ONE._replace(cost=-3 * left),)
    assert one.store.settled == [Settlement("alice", None, None, fenced=False, corrections=back)]
    one.prefetch.give_back()
    assert len(one.store.settled) == 1
    asked = one.store.asked
    assert one.ask().admitted
    assert one.store.asked == asked + 1


def test_it_is_swept_once_a_second(clock):
    one = Environment(clock)
    for _ in range(40):
        one.ask()
        clock.advance(0.125)
    assert one.background.submitted == 5


def test_beyond_the_capacity_the_least_recent_question_is_forgotten(clock):
    one = Environment(clock, capacity=2)
    for subject in ("alice", "bob", "alice", "carol"):
        one.ask(subject)
    assert len(one.prefetch._leases) == 3
    one.prefetch.give_back()
    assert [batch.question.subject for batch in one.prefetch._leases.values()] == ["alice", "carol"]
    one.prefetch.give_back()
    assert len(one.prefetch._leases) == 2


@pytest.mark.parametrize("cost", [1, 5, 6])
def test_a_refusal_of_several_is_told_as_that_of_one(clock, cost):
    one = Environment(clock, Charge("one", Bucket(1000, 5), cost))
    other = MemoryStore(clock)
    for _ in range(40):
        told, plain = one.ask(), other.admit(Question("alice", one.charges))
        if not told.admitted:
            assert (told.admitted, told.limits) == (plain.admitted, plain.limits)
    assert told.limits[0].retry_after_us == (NEVER if cost == 6 else cost * 1000)


def test_a_limit_that_would_admit_one_is_not_told_as_refusing_several(clock):
    one = Environment(clock, ONE, Charge("two", Bucket(HOUR_US, 1000)))
    assert one.asks(40) == 40
    [lease] = one.prefetch._leases.values()
    assert one.asks(lease.left) == lease.left
    first, second = one.store._store.admit(Question("alice", one.charges, peek=True)).limits
    one.others_take(first.remaining, second.remaining - 1)
    told = one.ask()
    assert one.costs[-1] > 1
    assert [(state.allowed, state.retry_after_us > 0) for state in told.limits] == [(False, True), (True, False)]


def test_a_batch_of_what_is_no_bucket_is_a_mistake():
    with pytest.raises(TypeError, match="no bucket"):
        batch(Charge("w", Window(60_000, 9))).room(1, 0.05)
