"""The circuit breaker, against a model, under a clock that stands still."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tidegate.failover.breaker import Breaker
from tidegate.testing import FakeClock

FIRST_S, LONGEST_S = 0.2, 1.0


@pytest.fixture
def breaker(clock: FakeClock) -> Breaker:
    return Breaker(clock, first_pause_s=FIRST_S, longest_pause_s=LONGEST_S, jitter=0.0)


def test_a_closed_breaker_lets_everybody_ask(breaker):
    assert [breaker.permission() for _ in range(3)] == ["ask"] * 3


def test_one_failure_opens_it(breaker):
    breaker.failed(breaker.permission())
    assert breaker.state == "open"
    assert breaker.permission() == "refuse"


def test_after_the_pause_one_caller_probes_and_the_others_wait(breaker, clock):
    breaker.failed(breaker.permission())
    clock.advance(FIRST_S)
    assert [breaker.permission() for _ in range(3)] == ["probe", "refuse", "refuse"]
    assert breaker.state == "half-open"


def test_before_the_end_of_the_pause_nobody_probes(breaker, clock):
    breaker.failed(breaker.permission())
    clock.advance(FIRST_S - 0.001)
    assert breaker.permission() == "refuse"


def test_a_probe_that_succeeds_closes_it(breaker, clock):
    breaker.failed(breaker.permission())
    clock.advance(FIRST_S)
    breaker.succeeded(breaker.permission())
    assert breaker.permission() == "ask"


def test_an_answer_that_was_asked_for_before_the_failure_doesnt_close_it(breaker):
    early, late = breaker.permission(), breaker.permission()
    breaker.failed(early)
    breaker.succeeded(late)
    assert breaker.state == "open"


def test_a_late_failure_doesnt_prolong_the_pause(breaker, clock):
    early, late = breaker.permission(), breaker.permission()
    breaker.failed(early)
    clock.advance(FIRST_S / 2)
    breaker.failed(late)
    clock.advance(FIRST_S / 2)
    assert breaker.permission() == "probe"


def test_a_late_failure_doesnt_take_the_probe_away(breaker, clock):
    early, late = breaker.permission(), breaker.permission()
    breaker.failed(early)
    clock.advance(FIRST_S)
    probe = breaker.permission()
    breaker.failed(late)
    assert breaker.state == "half-open"
    breaker.succeeded(probe)
    assert breaker.state == "closed"


def pauses(breaker: Breaker, clock: FakeClock, count: int) -> list[float]:
    """Fail that many probes and return the pauses before each, to the millisecond."""
    breaker.failed(breaker.permission())
    found = []
    for _ in range(count):
        began = clock.monotonic()
        while (permission := breaker.permission()) == "refuse":
            clock.advance(0.001)
        found.append(round(clock.monotonic() - began, 3))
        breaker.failed(permission)
    return found


def test_the_pause_doubles_up_to_a_second_so_that_a_recovery_is_noticed(breaker, clock):
    assert pauses(breaker, clock, 5) == pytest.approx([0.2, 0.4, 0.8, 1.0, 1.0], abs=0.002)


def test_after_a_recovery_the_pause_is_short_again(breaker, clock):
    pauses(breaker, clock, 4)
    clock.advance(LONGEST_S)
    breaker.succeeded(breaker.permission())
    assert pauses(breaker, clock, 1) == pytest.approx([0.2], abs=0.002)


def test_the_pauses_of_a_fleet_differ_but_are_never_longer_than_told(clock):
    fleet = [Breaker(clock) for _ in range(30)]
    firsts = [pauses(breaker, clock, 1)[0] for breaker in fleet]
    assert len(set(firsts)) > 1
    assert all(0.8 * FIRST_S - 0.001 <= pause <= FIRST_S + 0.001 for pause in firsts)


class Callers(RuleBasedStateMachine):
    """Any number of callers, who report in any order, late or never within the run."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.breaker = Breaker(self.clock)
        self.asking = 0
        self.probing = False
        self.opened_at: float | None = None

    @rule()
    def ask(self) -> None:
        permission = self.breaker.permission()
        if permission == "ask":
            assert self.opened_at is None
            self.asking += 1
        elif permission == "probe":
            assert not self.probing
            self.probing = True
        else:
            assert self.opened_at is not None

    @precondition(lambda self: self.asking)
    @rule(well=st.booleans())
    def an_ordinary_question_ends(self, *, well: bool) -> None:
        self.asking -= 1
        if well:
            self.breaker.succeeded("ask")
            return
        self.breaker.failed("ask")
        if self.opened_at is None:
            self.opened_at = self.clock.monotonic()

    @precondition(lambda self: self.probing)
    @rule(well=st.booleans())
    def the_probe_ends(self, *, well: bool) -> None:
        self.probing = False
        if well:
            self.breaker.succeeded("probe")
            self.opened_at = None
        else:
            self.breaker.failed("probe")
            self.opened_at = self.clock.monotonic()

    @rule(seconds=st.floats(0, 2))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @precondition(lambda self: self.opened_at is not None and not self.probing)
    @rule()
    def a_second_later_somebody_may_probe(self) -> None:
        self.clock.advance(LONGEST_S)
        assert self.breaker.permission() == "probe"
        self.probing = True

    @invariant()
    def it_is_closed_unless_a_failure_was_not_yet_followed_by_a_good_probe(self) -> None:
        assert (self.breaker.state == "closed") == (self.opened_at is None)
        assert (self.breaker.state == "half-open") == self.probing


TestCallers = Callers.TestCase
