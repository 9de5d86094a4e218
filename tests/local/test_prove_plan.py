"""The proof's plan and runner: what may begin, what is capped, and an end that runs whatever happens."""

import itertools
import os
import signal
import threading

import pytest

from tidegate_local import interruption
from tidegate_local.errors import ProofError
from tidegate_local.prove.outcome import NotRunError, Outcome, Seen
from tidegate_local.prove.plan import Caps, Step, checked, hindrance
from tidegate_local.prove.runner import prove
from tidegate_local.prove.steps import END, PLAN

WIDE = Caps(usd=100, seconds=10_000)


class Told:
    def __init__(self):
        self.begun, self.outcomes = [], []

    def begins(self, step):
        self.begun.append(step.name)

    def ended(self, outcome):
        self.outcomes.append(outcome)


def step(name, run=lambda _: Seen("held"), **rest):
    return Step(name, f"what {name} shows", run, **{"longest_s": 60, **rest})


def raising(error):
    def run(_):
        raise error

    return run


@pytest.fixture
def view():
    return Told()


@pytest.fixture
def signals():
    """The handlers as they were before a command took them."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield interruption.take()
    interruption.forget()
    for number, handler in before.items():
        signal.signal(number, handler)


def states(outcomes):
    return {outcome.step: outcome.state for outcome in outcomes}


def test_steps_run_in_order_and_the_end_at_last(view):
    outcomes = prove(None, [step("a"), step("b", needs=("a",))], step("end"), WIDE, view)
    assert view.begun == ["a", "b", "end"]
    assert set(states(outcomes).values()) == {"passed"}
    assert tuple(view.outcomes) == outcomes


def test_what_a_failed_step_is_needed_for_is_not_run_and_the_rest_is(view):
    plan = [step("a", raising(ProofError("it leaks"))), step("b", needs=("a",)), step("c")]
    outcomes = prove(None, plan, step("end"), WIDE, view)
    assert states(outcomes) == {"a": "failed", "b": "not run", "c": "passed", "end": "passed"}
    assert (outcomes[0].seen, outcomes[1].seen) == ("it leaks", "it needs a, which didn't pass")


def test_a_step_that_can_not_be_done_here_is_not_run_and_is_no_failure(view):
    outcomes = prove(None, [step("a", raising(NotRunError("no FIS")))], step("end"), WIDE, view)
    assert (outcomes[0].state, outcomes[0].seen, outcomes[0].usd) == ("not run", "no FIS", 0.0)


@pytest.mark.parametrize("error", [KeyError("x"), OSError("disk"), RuntimeError("a fault of the proof's own")])
def test_no_error_keeps_the_end_from_running(view, error):
    outcomes = prove(None, [step("a", raising(error))], step("end"), WIDE, view)
    assert states(outcomes) == {"a": "failed", "end": "passed"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_after_an_interrupt_nothing_begins_but_the_end(view, signals, number):
    def interrupted(_):
        os.kill(os.getpid(), number)
        threading.Event().wait(30)
        return Seen("it was never interrupted")

    outcomes = prove(None, [step("a", interrupted), step("b")], step("end"), WIDE, view)
    assert states(outcomes) == {"a": "failed", "b": "not run", "end": "passed"}
    assert view.begun == ["a", "end"]


def test_an_interrupt_between_two_steps_leads_to_the_end_too(signals):
    class Interrupting(Told):
        def ended(self, outcome):
            super().ended(outcome)
            if outcome.step == "a":
                raise KeyboardInterrupt

    view = Interrupting()
    outcomes = prove(None, [step("a"), step("b")], step("end"), WIDE, view)
    assert states(outcomes) == {"a": "passed", "b": "not run", "end": "passed"}
    assert states(view.outcomes) == states(outcomes)


def test_a_terminal_that_was_closed_keeps_nothing_from_running():
    class Closed:
        def begins(self, _step):
            raise BrokenPipeError

        ended = begins

    outcomes = prove(None, [step("a")], step("end"), WIDE, Closed())
    assert set(states(outcomes).values()) == {"passed"}


def test_an_end_that_is_interrupted_says_how_to_take_it_up_again(view, signals):
    outcomes = prove(None, [], step("end", raising(KeyboardInterrupt())), WIDE, view)
    assert outcomes[-1].state == "failed"
    assert "--only-destroy" in outcomes[-1].seen


def test_a_step_beyond_its_longest_time_is_stopped(view):
    def hanging(_):
        threading.Event().wait(30)
        return Seen("it was never stopped")

    outcomes = prove(None, [step("a", hanging, longest_s=0.05)], step("end"), WIDE, view)
    assert states(outcomes) == {"a": "failed", "end": "passed"}
    assert "its longest time" in outcomes[0].seen


def test_what_could_cost_more_than_the_cap_does_not_begin(view):
    plan = [step("a", usd=3), step("b", usd=3), step("c", usd=0.5)]
    outcomes = prove(None, plan, step("end"), Caps(usd=4.5, seconds=10_000), view)
    assert states(outcomes) == {"a": "passed", "b": "not run", "c": "passed", "end": "passed"}
    assert "cap of 4.50 USD" in outcomes[1].seen
    assert sum(outcome.usd for outcome in outcomes) < 4.5


def test_what_could_take_longer_than_the_cap_does_not_begin(view):
    ticks = itertools.count(step=50)
    plan = [step("a"), step("b"), step("c")]
    outcomes = prove(None, plan, step("end"), Caps(usd=100, seconds=150), view, lambda: float(next(ticks)))
    assert states(outcomes) == {"a": "passed", "b": "passed", "c": "not run", "end": "passed"}
    assert "of 2 are over" in outcomes[2].seen


def test_enough_is_kept_for_the_end():
    end = step("end", usd=1)
    assert hindrance(step("a", usd=1), [], Caps(usd=1.5, seconds=1000), end)
    assert hindrance(step("a", usd=1), [], Caps(usd=2.5, seconds=1000), end) is None


def test_a_step_that_was_not_run_is_none_that_passed():
    before = [Outcome("a", "not run", "no FIS")]
    assert hindrance(step("b", needs=("a",)), before, WIDE, step("end"))


@pytest.mark.parametrize("plan", [[step("a"), step("a")], [step("b", needs=("a",)), step("a")]])
def test_a_plan_out_of_order_is_refused(plan):
    with pytest.raises(ValueError, match="comes twice, or before"):
        checked(plan)


def test_the_plan_has_every_step_within_the_default_caps():
    assert [one.name for one in (*PLAN, END)] == [
        *("preflight", "deploy", "e2e", "release-good", "release-bad", "release-aborted"),
        *("redis-failover", "network-cut", "fault-demo", "figures", "destroy"),
    ]
    assert sum(one.most_usd for one in (*PLAN, END)) < Caps().usd
    assert all("deploy" in one.needs or "e2e" in one.needs for one in PLAN[2:])
