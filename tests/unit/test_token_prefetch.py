"""Prefetched tokens: what a batch costs and pays for, when it is given back, and how long a refusal stands."""

from __future__ import annotations

import pytest

from tests.harness.inline_background import InlineBackground
from tidegate.failover.token_prefetch import TokenPrefetch
from tidegate.limits.token_bucket import Bucket
from tidegate.messages import Answer, Charge, Fleet, Question, Settlement
from tidegate.stores.fleet import FleetView
from tidegate.stores.memory import MemoryStore
from tidegate.testing import FailingStore, FakeClock

HOUR_US = 3_600_000_000
AMPLE = Bucket(HOUR_US, 1000)


class Environment:
    """The only one of its fleet, with one limit of alice's; nothing comes back within a test."""

    def __init__(self, clock: FakeClock, bucket: Bucket = AMPLE) -> None:
        self.charge = Charge("limit", bucket)
        self.memory = MemoryStore(clock)
        self.store = FailingStore(self.memory)
        self.prefetch = TokenPrefetch(self.store, clock, FleetView(clock, Fleet()), InlineBackground())

    def ask(self) -> Answer:
        return self.prefetch.admit(Question("alice", (self.charge,)))

    def asks(self, times: int) -> int:
        """Ask so often at one moment; return how often it was admitted."""
        return sum(self.ask().admitted for _ in range(times))

    @property
    def charged(self) -> int:
        """What the store has charged."""
        [limit] = self.memory.admit(Question("alice", (self.charge,), peek=True)).limits
        return self.charge.rule.most - limit.remaining


@pytest.fixture
def one(clock: FakeClock) -> Environment:
    return Environment(clock)


def test_a_bucket_that_is_asked_for_rarely_costs_one_question_each(one, clock):
    for asked in range(1, 11):
        assert one.ask().admitted
        assert (one.store.asked, one.charged) == (asked, asked)
        clock.advance(0.25)


def test_batches_are_few_and_cost_what_they_admit_and_what_comes_back(one, clock):
    for _ in range(100):
        assert one.ask().admitted
        clock.advance(0.01)
    assert one.store.asked < 60
    assert one.charged > 100
    one.prefetch.give_back()
    assert one.charged == 100


def test_tokens_are_given_back_when_a_second_has_passed_and_not_before(one, clock):
    assert one.asks(21) == 21
    for passed, charged in ((0.0, 22), (0.999, 22), (0.001, 21)):
        clock.advance(passed)
        one.prefetch.admit(Question("bob", (one.charge,)))
        assert one.charged == charged


def test_a_rate_is_forgotten_in_a_pause_of_two_seconds(one, clock):
    assert one.asks(100) == 100
    clock.advance(2.5)
    assert one.ask().admitted
    assert one.charged == 101


@pytest.mark.parametrize("left", [0, 2])
def test_what_others_left_is_spent_and_then_one_token_is_waited_for(one, left):
    assert one.asks(100) == 100
    others = one.charge._replace(cost=AMPLE.burst - one.charged - left)
    assert one.memory.admit(Question("alice", (others,))).admitted
    paid_for = one.charged - others.cost - 100
    assert one.asks(50) == paid_for + left
    [refused] = one.ask().limits
    assert (refused.remaining, refused.retry_after_us) == (0, HOUR_US)


def test_a_hot_buckets_refusal_stands_for_a_quarter_of_a_second_at_most(clock):
    one = Environment(clock, Bucket(HOUR_US, 3))
    assert one.asks(30) == 3
    assert one.store.asked == 6, "the three, and refusals until it was known to be hot"
    clock.advance(0.19)
    assert not one.asks(30)
    assert one.store.asked == 6
    clock.advance(0.07)
    assert not one.asks(30)
    assert one.store.asked == 7


def test_a_settlement_is_the_stores(one):
    assert one.asks(3) == 3
    back = Settlement("alice", None, None, fenced=False, corrections=(one.charge._replace(cost=-2),))
    assert one.prefetch.settle(back)
    assert one.charged == 1
