"""What an environment remembers of its buckets, and carries from store to store."""

import pytest

from tidegate.failover.carryover import CarriedState
from tidegate.limits.concurrency import Slots
from tidegate.limits.leaky_bucket import Drain
from tidegate.limits.sliding_window_counter import WindowCounter
from tidegate.limits.token_bucket import Bucket
from tidegate.messages import Answer, Charge, LimitState, Question
from tidegate.testing import FakeClock

BUCKET = Bucket(interval_us=1_000_000, burst=10)
ONE, TWO = Charge("one", BUCKET), Charge("two", BUCKET)


@pytest.fixture
def debts(clock: FakeClock) -> CarriedState:
    return CarriedState(clock, capacity=2)


def hear(debts: CarriedState, clock: FakeClock, subject: str, *debts_us: int, asked_s_ago: float = 0) -> None:
    states = tuple(LimitState(allowed=True, remaining=0, retry_after_us=0, debt_us=us) for us in debts_us)
    answer = Answer(admitted=True, limits=states, claim=None, store="redis")
    debts.heard(
        Question(subject, (ONE, TWO)[: len(debts_us)]), answer, debts.now().plus(round(-asked_s_ago * 1_000_000))
    )


def carried(debts: CarriedState, subject: str = "a") -> list[int]:
    return [charge.min_deficit_us for charge in debts.carried_by(Question(subject, (ONE, TWO)), debts.now()).charges]


def test_what_was_never_heard_of_has_no_debt(debts):
    question = Question("a", (ONE, TWO))
    assert debts.carried_by(question, debts.now()) == question


def test_a_debt_is_carried_to_its_bucket_and_no_other(debts, clock):
    hear(debts, clock, "a", 3_000_000)
    assert carried(debts) == [3_000_000, 0]
    assert carried(debts, "b") == [0, 0]


def test_a_debt_falls_with_time_and_ends(debts, clock):
    hear(debts, clock, "a", 3_000_000, 9_000_000)
    clock.advance(2)
    assert carried(debts) == [1_000_000, 7_000_000]
    clock.advance(2)
    assert carried(debts) == [0, 5_000_000]


def test_of_two_tales_the_larger_is_believed(debts, clock):
    hear(debts, clock, "a", 5_000_000)
    clock.advance(1)
    hear(debts, clock, "a", 1_000_000)
    assert carried(debts) == [4_000_000, 0]
    hear(debts, clock, "a", 8_000_000)
    assert carried(debts) == [8_000_000, 0]


def test_an_answer_counts_from_when_it_was_asked_for(debts, clock):
    clock.advance(10)
    hear(debts, clock, "a", 3_000_000, asked_s_ago=0.5)
    assert carried(debts) == [2_500_000, 0]


def test_an_answer_of_no_store_says_nothing(debts, clock):
    debts.heard(Question("a", (ONE, TWO)), Answer(admitted=True, limits=(), claim=None, store="none"), debts.now())
    assert carried(debts) == [0, 0]


def test_the_subject_not_seen_for_longest_is_forgotten_beyond_the_capacity(debts, clock):
    for subject in ("a", "b", "a", "c"):
        hear(debts, clock, subject, 3_000_000)
    assert [carried(debts, subject)[0] for subject in ("a", "b", "c")] == [3_000_000, 0, 3_000_000]


def test_no_debt_is_carried_beyond_an_empty_bucket(debts, clock):
    hear(debts, clock, "a", 60_000_000)
    assert carried(debts) == [BUCKET.depth_us, 0]


@pytest.mark.parametrize(("units", "debt_us"), [(-2, 1_000_000), (2, 5_000_000)])
def test_a_correction_is_carried_with_the_debt(debts: CarriedState, clock: FakeClock, units: int, debt_us: int) -> None:
    hear(debts, clock, "a", 3_000_000)
    debts.put_right("a", (ONE._replace(cost=units),))
    assert carried(debts) == [debt_us, 0]


def test_units_that_a_window_got_back_are_carried_no_more(debts: CarriedState, clock: FakeClock) -> None:
    charge = Charge("window", WindowCounter(60_000, 10), 3)
    charged = charge.decide(None, clock.wall_us()).charged
    answer = Answer(admitted=True, limits=(charged,), claim=None, store="redis")
    debts.heard(Question("a", (charge,)), answer, debts.now())
    debts.put_right("a", (charge._replace(cost=-2, known_counts=charged.counts),))
    [again] = debts.carried_by(Question("a", (charge,)), debts.now()).charges
    assert again.decide(None, clock.wall_us()).uncharged.remaining == 9


class FrozenClock(FakeClock):
    """A clock whose monotonic side stands still while the environment is frozen."""

    def monotonic(self) -> float:
        return 0.0


def test_a_debt_falls_while_the_environment_is_frozen():
    clock = FrozenClock()
    debts = CarriedState(clock)
    hear(debts, clock, "a", 3_000_000)
    clock.advance(2)
    assert carried(debts) == [1_000_000, 0]


LEAKY = Charge("leaky", Drain(1_000_000, 5_000_000), 2)


def leaky_debt(debts: CarriedState, debt_us: int, cost: int = 2) -> int:
    """Hear of a leaky bucket's debt; return what is carried of it."""
    state = LimitState(allowed=True, remaining=0, retry_after_us=0, debt_us=debt_us)
    charge = LEAKY._replace(cost=cost)
    debts.heard(Question("a", (charge,)), Answer(True, (state,), None, "redis"), debts.now())
    [again] = debts.carried_by(Question("a", (charge,)), debts.now()).charges
    return again.min_deficit_us


def test_a_leaky_buckets_debt_is_carried_up_to_its_wait_and_the_request(debts):
    assert leaky_debt(debts, 3_000_000) == 3_000_000
    assert leaky_debt(debts, 7_000_000) == 7_000_000
    assert leaky_debt(debts, 9_000_000) == 7_000_000


def test_a_leaky_buckets_correction_is_carried(debts):
    leaky_debt(debts, 3_000_000)
    debts.put_right("a", (LEAKY._replace(cost=-2),))
    [again] = debts.carried_by(Question("a", (LEAKY,)), debts.now()).charges
    assert again.min_deficit_us == 1_000_000


def test_a_debt_that_isnt_the_fleets_is_not_kept_but_counts_are(debts, clock):
    window = Charge("window", WindowCounter(60_000, 10), 3)
    counted = window.decide(None, clock.wall_us()).charged
    states = (LimitState(True, 0, 0, debt_us=3_000_000), counted, LimitState(True, 1, 0))
    slots = Charge("slots", Slots(2, 60_000_000), holder="h")
    question = Question("a", (ONE, window, slots))
    debts.heard(question, Answer(True, states, None, "memory"), debts.now(), buckets=False)
    assert [(c.min_deficit_us, c.known_counts) for c in debts.carried_by(question, debts.now()).charges] == [
        (0, ()),
        (0, counted.counts),
        (0, ()),
    ]


def test_of_two_counts_the_larger_are_carried(debts, clock):
    window, found = Charge("window", WindowCounter(60_000, 10)), []
    index = clock.wall_us() // 60_000_000
    for counts in ((index, 3, 4), (index, 2, 7)):
        answer = Answer(True, (LimitState(True, 0, 0, counts=counts),), None, "redis")
        debts.heard(Question("a", (window,)), answer, debts.now())
        found.append(debts.carried_by(Question("a", (window,)), debts.now()).charges[0].known_counts)
    assert found == [(index, 3, 4), (index, 3, 7)]


def test_the_larger_of_the_carried_and_the_askers_debt_counts(debts, clock):
    hear(debts, clock, "a", 3_000_000)
    for known_us, carried_us in ((1, 3_000_000), (4_000_000, 4_000_000)):
        asked = Question("a", (ONE._replace(min_deficit_us=known_us),))
        assert debts.carried_by(asked, debts.now()).charges[0].min_deficit_us == carried_us


def test_a_correction_that_belongs_to_no_known_limit_is_none(debts, clock):
    hear(debts, clock, "a", 3_000_000)
    debts.put_right("b", (ONE._replace(cost=-2),))
    debts.put_right("a", ())
    debts.put_right("a", (TWO._replace(cost=-2),))
    assert carried(debts) == [3_000_000, 0]
