"""What is known of a store, from what was seen of it."""

import pytest

from tidegate import StoreUnavailableError
from tidegate.question import Question
from tidegate.stores.breaker import Breaker
from tidegate.stores.memory import MemoryStore
from tidegate.stores.tracked import TrackedStore
from tidegate.testing import FailingStore, FakeClock

QUESTION = Question("subject")


class Setting:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = FailingStore(MemoryStore(self.clock))
        self.tracked = TrackedStore(self.store, Breaker(self.clock), self.clock)

    def ask(self) -> bool:
        return self.tracked.ask(lambda store: store.admit(QUESTION)).admitted

    def fail(self, fault="timeout") -> None:
        self.store.fault = fault
        with pytest.raises(StoreUnavailableError):
            self.ask()


@pytest.fixture
def setting() -> Setting:
    return Setting()


def test_a_store_is_untried_until_it_is_asked(setting):
    assert (setting.tracked.state.state, setting.tracked.state.since_us) == ("untried", setting.clock.wall_us())


def test_an_answer_makes_it_ready_with_a_latency(setting):
    assert setting.ask()
    assert setting.tracked.state.state == "ready"
    assert setting.tracked.state.latency_ms == 0
    assert setting.tracked.trusted


def test_a_failure_makes_it_failing_with_the_fault_and_opens_its_breaker(setting):
    setting.ask()
    setting.clock.advance(5)
    setting.fail("read-only")
    state = setting.tracked.state
    assert (state.state, state.fault, state.breaker, state.since_us) == (
        "failing",
        "read-only",
        "open",
        setting.clock.wall_us(),
    )
    assert not setting.tracked.trusted


def test_while_the_breaker_is_open_the_store_isnt_asked(setting):
    setting.fail()
    asked = setting.store.asked
    for _ in range(10):
        with pytest.raises(StoreUnavailableError) as raised:
            setting.ask()
        assert raised.value.kind == "breaker-open"
    assert setting.store.asked == asked


def test_a_state_begins_when_it_changed_and_not_with_each_confirmation(setting):
    setting.fail()
    since = setting.tracked.state.since_us
    setting.clock.advance(2)
    setting.fail()
    assert setting.tracked.state.since_us == since


def test_after_an_outage_it_is_probed_first_and_then_answers_again(setting):
    setting.fail()
    setting.store.fault = None
    setting.clock.advance(1)
    asked = setting.store.asked
    assert setting.ask()
    assert setting.store.asked == asked + 2
    assert setting.tracked.state.state == "ready"
    assert setting.tracked.state.fault is None


def test_an_error_that_no_store_may_raise_opens_the_breaker_too(setting):
    def broken(_store) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        setting.tracked.ask(broken)
    assert not setting.tracked.trusted
