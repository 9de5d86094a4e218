"""What only the memory store has: a bound on what it keeps. The rest is the contract's (tests/contract)."""

import pytest

from tidegate.decision import SLOTS, Rule
from tidegate.limits.concurrency import Slots
from tidegate.limits.leaky_bucket import Drain
from tidegate.limits.quota import Period
from tidegate.limits.sliding_window import Window
from tidegate.limits.sliding_window_counter import WindowCounter
from tidegate.limits.token_bucket import Bucket
from tidegate.messages import Charge, Question, Settlement
from tidegate.stores.memory import MemoryStore
from tidegate.testing import FakeClock

HOUR_US, NOW_US = 3_600_000_000, FakeClock().wall_us()
SLOW = Bucket(interval_us=HOUR_US, burst=2)
RULES = [
    SLOW,
    Drain(HOUR_US, HOUR_US),
    Window(3_600_000, 2),
    WindowCounter(3_600_000, 2),
    Period(NOW_US, NOW_US + HOUR_US, 2),
    Slots(1, HOUR_US),
]
every_kind = pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)


def question(subject: str, *, cost: int = 2, rule: Rule = SLOW, holder: str = "one") -> Question:
    return Question(subject, (Charge("limit", rule, cost, holder=subject + holder if rule.kind == SLOTS else ""),))


@pytest.fixture
def store(clock: FakeClock) -> MemoryStore:
    return MemoryStore(clock, capacity=20)


def test_no_crowd_of_strangers_has_a_victims_limit_forgotten(store):
    assert store.admit(question("victim")).admitted
    for n in range(10_000):
        store.admit(question(f"stranger-{n}"))
    assert not store.admit(question("victim", cost=1)).admitted
    assert len(store._states) == 20


def test_who_comes_when_all_places_are_taken_shares_one_with_all_who_do(store):
    for n in range(20):
        assert store.admit(question(f"early-{n}")).admitted
    assert [store.admit(question(f"late-{n}", cost=1)).admitted for n in range(4)] == [True, True, False, False]


@every_kind
def test_a_state_that_says_nothing_any_more_makes_room(store, clock, rule):
    for n in range(20):
        assert store.admit(question(f"early-{n}", rule=rule)).admitted
    clock.advance(7202)
    assert [store.admit(question(f"late-{n}", rule=rule)).admitted for n in range(20)] == [True] * 20
    assert len(store._states) == 20


@every_kind
def test_a_state_that_says_something_still_makes_none(store, clock, rule):
    for n in range(20):
        assert store.admit(question(f"early-{n}", rule=rule)).admitted
    clock.advance(3000)
    assert not all(store.admit(question(f"late-{n}", rule=rule)).admitted for n in range(20))
    assert not any(store.admit(question(f"early-{n}", rule=rule, holder="another")).admitted for n in range(20))


def test_a_routes_own_limit_always_has_a_place(store):
    for n in range(40):
        store.admit(question(f"early-{n}"))
    whole = Charge("limit", SLOW, 2, subject="route")
    assert store.admit(Question("late", (whole,))).admitted
    assert not store.admit(Question("other", (whole,))).admitted


def test_two_limits_of_the_same_numbers_are_both_charged(store):
    for n in range(40):
        store.admit(question(f"early-{n}"))
    fine = Bucket(interval_us=3_600_000_001, burst=3)
    twice = (Charge("one", fine), Charge("two", fine))
    assert [store.admit(Question(f"late-{n}", twice)).admitted for n in range(2)] == [True, False]


def test_a_shared_slot_is_freed_by_who_holds_it(store):
    for n in range(40):
        store.admit(question(f"early-{n}"))
    held, next_one = (Charge("slots", Slots(1, 60_000_000), holder=holder) for holder in ("a", "b"))
    assert store.admit(Question("late", (held,))).admitted
    assert not store.admit(Question("later", (next_one,))).admitted
    freed = Settlement("late", None, None, fenced=False, corrections=(held._replace(cost=-1),))
    store.settle(freed)
    assert store.admit(Question("later", (next_one,))).admitted


def test_it_always_answers_a_probe(store):
    store.probe()
    store.close()
