"""What is known of a store, from what was seen of it."""

import pytest

from tidegate import StoreUnavailableError
from tidegate.failover import circuit
from tidegate.failover.breaker import Breaker
from tidegate.failover.circuit import CircuitBreakerStore
from tidegate.messages import Answer, Question
from tidegate.stores.base import Store
from tidegate.stores.memory import MemoryStore
from tidegate.testing import FailingStore, FakeClock

QUESTION = Question("subject")


class Setting:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = FailingStore(MemoryStore(self.clock))
        self.tracked = CircuitBreakerStore(self.store, Breaker(self.clock), self.clock)

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


def test_a_latency_is_in_milliseconds(setting: Setting) -> None:
    setting.clock.advance(10)

    def answers(store: Store) -> Answer:
        setting.clock.advance(0.25)
        return store.admit(QUESTION)

    setting.tracked.ask(answers)
    assert setting.tracked.state.latency_ms == pytest.approx(250)


def test_outages_and_their_ends_are_logged_and_no_first_answer(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = list[tuple[str, str | None]]()
    monkeypatch.setattr(circuit, "store_changed", lambda *what: told.append(what[1:3]))
    setting.ask()
    setting.fail("timeout")
    setting.store.fault = None
    setting.clock.advance(1)
    setting.ask()
    assert told == [("failing", "timeout"), ("ready", None)]


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


def broken(_store) -> None:
    raise ZeroDivisionError


def test_a_bug_of_ours_is_raised_and_moves_no_breaker(setting):
    setting.ask()
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            setting.tracked.ask(broken)
    assert setting.tracked.trusted
    assert setting.tracked.state.state == "ready"


@pytest.mark.parametrize("fault", ["unreadable", "contended"])
def test_what_one_key_holds_moves_no_breaker(setting, fault):
    setting.ask()
    setting.fail(fault)
    assert setting.tracked.trusted
    assert setting.tracked.state.state == "ready"
    assert setting.tracked.state.fault is None


ONLY_THIS_QUESTIONS = [StoreUnavailableError("memory", "unreadable"), ZeroDivisionError(), KeyError("bug")]


@pytest.mark.parametrize("error", ONLY_THIS_QUESTIONS, ids=repr)
def test_a_probe_that_was_answered_counts_whatever_its_question_meets(setting, error):
    def fails(_store) -> None:
        raise error

    setting.fail()
    setting.store.fault = None
    setting.clock.advance(1)
    with pytest.raises(type(error)):
        setting.tracked.ask(fails)
    assert setting.tracked.trusted
    assert setting.ask()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ZeroDivisionError(), StoreUnavailableError("m", "unreadable")])
def test_a_probe_that_isnt_answered_is_reported_however_it_ends(setting, error, monkeypatch):
    """A breaker left half-open would refuse for ever."""
    setting.fail()

    def fails(_patience_s=None) -> None:
        raise error

    setting.clock.advance(1)
    with monkeypatch.context() as patch:
        patch.setattr(setting.store, "probe", fails)
        with pytest.raises(type(error)):
            setting.ask()
    assert setting.tracked.state.breaker == "open"
    setting.store.fault = None
    setting.clock.advance(2)
    assert setting.ask()


def test_the_latency_of_a_store_that_fails_is_not_known(setting):
    setting.ask()
    setting.fail()
    assert setting.tracked.state.latency_ms is None


def test_connections_are_closed_before_a_probe_and_at_the_end(setting, monkeypatch):
    done = []
    monkeypatch.setattr(setting.store, "close", lambda: done.append("close"))
    monkeypatch.setattr(setting.store, "probe", lambda _=None: done.append("probe"))
    assert setting.tracked.name == setting.store.name == "memory"
    setting.ask()
    assert done == []
    setting.fail()
    setting.store.fault = None
    setting.clock.advance(1)
    setting.ask()
    assert done == ["close", "probe"]
    setting.tracked.close()
    assert done == ["close", "probe", "close"]
