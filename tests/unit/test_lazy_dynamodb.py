"""DynamoDB's place in the chain: nothing is made for whoever only looks, and all that is made is passed on to."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from tidegate.failover.breaker import Breaker
from tidegate.failover.circuit import CircuitBreakerStore, StoreHandle
from tidegate.failover.lazy_dynamodb import LazyDynamoHandle
from tidegate.failover.store import FailoverStore, Watcher
from tidegate.lazy import Lazy
from tidegate.messages import Answer, Question
from tidegate.steps import run
from tidegate.stores.memory import MemoryStore
from tidegate.testing import FailingStore, FakeClock

QUESTION = Question("subject")


@dataclass
class Parts:
    """What the handle sees of `DynamoComponents`, over a store in memory."""

    handle: StoreHandle
    watchers: list[Watcher] = field(default_factory=list)
    closed: int = 0

    def close(self) -> None:
        self.closed += 1


class Setting:
    def __init__(self, clock: FakeClock) -> None:
        self.store = FailingStore(MemoryStore(clock))
        self.parts = Parts(CircuitBreakerStore(self.store, Breaker(clock), clock))
        self.lazy: Lazy = Lazy(lambda: self.parts)
        self.handle = LazyDynamoHandle(self.lazy, clock)


@pytest.fixture
def setting(clock: FakeClock) -> Setting:
    return Setting(clock)


def test_before_its_first_question_it_is_untried_and_trusted(setting, clock):
    began = clock.wall_us()
    clock.advance(5)
    state = setting.handle.state
    assert (state.name, state.state, state.breaker, state.since_us) == ("dynamodb", "untried", "closed", began)
    assert setting.handle.trusted is True


def test_who_only_looks_makes_nothing(setting):
    setting.handle.watch(QUESTION, Answer(True, (), None, "redis"))
    assert setting.handle.trusted
    assert setting.handle.state.latency_ms is None
    setting.handle.close()
    assert setting.lazy.made is None
    assert setting.parts.closed == 0


@pytest.mark.parametrize("ask", ["ask", "steps"])
def test_a_question_is_answered_by_what_is_made_for_it(setting, ask):
    if ask == "ask":
        answer = setting.handle.ask(lambda store: store.admit(QUESTION))
    else:
        answer = run(setting.handle.admitting(QUESTION))
    assert answer.admitted
    assert setting.store.asked == 1
    assert setting.lazy.made is setting.parts
    assert setting.handle.state == setting.parts.handle.state
    assert setting.handle.state.state == "ready"


def test_once_made_it_is_trusted_as_its_breaker_says(setting):
    setting.handle.check(1)
    assert setting.store.asked == 1
    assert setting.handle.trusted is True
    setting.store.fault = "timeout"
    setting.handle.check(1)
    assert setting.handle.trusted is False
    assert setting.handle.state.state == "failing"


def test_its_watchers_hear_of_redis_decisions_once_it_is_made(setting):
    told, answer = [], Answer(True, (), None, "redis")
    setting.parts.watchers = [lambda *what: told.append(what), lambda *what: told.append(what)]
    setting.handle.watch(QUESTION, answer)
    assert told == []
    setting.handle.check(1)
    setting.handle.watch(QUESTION, answer)
    assert told == [(QUESTION, answer)] * 2


def test_what_was_made_is_closed(setting):
    setting.handle.check(1)
    setting.handle.close()
    assert setting.parts.closed == 1


def test_the_chain_decides_in_it_when_the_stores_before_it_fail(setting, clock):
    redis = FailingStore(MemoryStore(clock))
    redis.fault = "refused"
    first = CircuitBreakerStore(redis, Breaker(clock), clock)
    chain = FailoverStore([first, setting.handle], MemoryStore(clock), clock)
    assert chain.admit(QUESTION).admitted
    assert setting.store.asked == 1
